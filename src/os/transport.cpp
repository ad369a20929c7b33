#include "os/transport.h"

namespace kedge {

Result<Transport> connect_transport(const TransportOptions& options, const Until& until) {
    Stream stream = TRY(Stream::connect(options.to, until, options.source));
    if (!options.is_encrypted) return Transport{std::move(stream)};
    return Transport{TRY(TlsStream::connect(std::move(stream), options.to.host, options.ca_file, until))};
}

}  // namespace kedge
