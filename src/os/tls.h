// TLS 1.2 or newer over a byte stream, the peer's certificate always verified: chain, dates and name.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "os/socket.h"

struct ssl_st;

namespace kedge {

class TlsStream {
public:
    // Shakes hands as the client of `host` (a name or an address, which the certificate must carry).
    // `ca_file` holds the authorities to trust, in PEM; empty trusts the system's. refused for a
    // certificate that does not verify, not_found for an unreadable `ca_file`.
    static Result<TlsStream> connect(Stream stream, const std::string& host, const std::string& ca_file,
                                     const Until& until);
    TlsStream(TlsStream&&) noexcept;
    TlsStream& operator=(TlsStream&&) noexcept;
    ~TlsStream();

    // As Stream's. An end without TLS's own goodbye is unavailable: the answer may have been cut.
    Result<std::size_t> read_some(std::span<char> into, const Until& until);
    Result<void> write_all(std::string_view bytes, const Until& until);
    bool is_spent() const;

private:
    struct Free {
        void operator()(ssl_st* session) const;
    };
    TlsStream(Stream stream, std::unique_ptr<ssl_st, Free> session);
    Result<void> shake_hands(const Until& until);
    // Moves what the session wants to send to the peer.
    Result<void> flush(const Until& until);
    // After the session answered `code`: fetches what it waits for. An error if it waits for nothing.
    Result<void> serve(int code, const Until& until);

    Stream stream_;
    std::unique_ptr<ssl_st, Free> session_;  // reads and writes memory, never the socket
};

}  // namespace kedge
