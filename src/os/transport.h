// A byte stream, in plain or in TLS: what HTTP and WebSocket stand on.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "os/socket.h"
#include "os/tls.h"

namespace kedge {

class Transport {
public:
    Transport(Stream stream) : stream_(std::move(stream)) {}
    Transport(TlsStream stream) : stream_(std::move(stream)) {}

    // As those of Stream and TlsStream.
    Result<std::size_t> read_some(std::span<char> into, const Until& until) {
        return std::visit([&](auto& stream) { return stream.read_some(into, until); }, stream_);
    }
    Result<void> write_all(std::string_view bytes, const Until& until) {
        return std::visit([&](auto& stream) { return stream.write_all(bytes, until); }, stream_);
    }
    bool is_spent() const {
        return std::visit([](const auto& stream) { return stream.is_spent(); }, stream_);
    }

private:
    std::variant<Stream, TlsStream> stream_;
};

// What a Transport to a server needs to know.
struct TransportOptions {
    Endpoint to;
    bool is_encrypted = false;
    std::string source;   // the local address to come from; empty for any
    std::string ca_file;  // authorities to trust, PEM; empty for the system's
};

Result<Transport> connect_transport(const TransportOptions& options, const Until& until);

}  // namespace kedge
