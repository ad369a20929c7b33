// The session works on memory buffers and this file moves the bytes: so the stream's deadline and stop
// hold for TLS too, and no write of the library's own can raise SIGPIPE.
#include "os/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "os/resolve.h"

namespace kedge {
namespace {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string library_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown reason" : reason;
}

Result<std::unique_ptr<SSL_CTX, FreeContext>> make_context(const std::string& ca_file) {
    std::unique_ptr<SSL_CTX, FreeContext> context{SSL_CTX_new(TLS_client_method())};
    check(context != nullptr, "a TLS context can be had");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                       : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
    if (loaded != 1) return Error{Fault::not_found, fmt::format("authorities '{}': {}", ca_file, library_reason())};
    return context;
}

// The name is checked against the certificate; it is sent (SNI, RFC 6066) only if it is no address.
void expect_host(SSL* session, const std::string& host) {
    X509_VERIFY_PARAM* wanted = SSL_get0_param(session);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (parse_address(host, 0)) {
        check(X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1, "a parsed address is an address");
        return;
    }
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
    // The macro SSL_set_tlsext_host_name, without its C cast.
    SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* session) const {
    SSL_free(session);
}

TlsStream::TlsStream(Stream stream, std::unique_ptr<ssl_st, Free> session)
    : stream_(std::move(stream)), session_(std::move(session)) {}
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;
TlsStream::~TlsStream() = default;

Result<TlsStream> TlsStream::connect(Stream stream, const std::string& host, const std::string& ca_file,
                                     const Until& until) {
    const auto context = TRY(make_context(ca_file));
    std::unique_ptr<ssl_st, Free> session{SSL_new(context.get())};
    check(session != nullptr, "a TLS session can be had");
    SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(session.get());
    expect_host(session.get(), host);
    TlsStream result{std::move(stream), std::move(session)};
    TRY(result.shake_hands(until));
    return result;
}

Result<void> TlsStream::shake_hands(const Until& until) {
    for (;;) {
        const int code = SSL_do_handshake(session_.get());
        if (code == 1) return flush(until);
        const long verdict = SSL_get_verify_result(session_.get());
        if (verdict != X509_V_OK)
            return Error{Fault::refused,
                         fmt::format("{}: certificate: {}", stream_.name(), X509_verify_cert_error_string(verdict))};
        TRY(serve(code, until).within("TLS handshake"));
    }
}

Result<void> TlsStream::flush(const Until& until) {
    std::array<char, 16 * 1024> chunk;
    BIO* outgoing = SSL_get_wbio(session_.get());
    while (BIO_ctrl_pending(outgoing) > 0) {
        const int size = BIO_read(outgoing, chunk.data(), static_cast<int>(chunk.size()));
        check(size > 0, "pending bytes can be read");
        TRY(stream_.write_all({chunk.data(), static_cast<std::size_t>(size)}, until));
    }
    return {};
}

Result<void> TlsStream::serve(int code, const Until& until) {
    const int wish = SSL_get_error(session_.get(), code);
    TRY(flush(until));
    if (wish == SSL_ERROR_WANT_WRITE) return {};
    if (wish != SSL_ERROR_WANT_READ)
        return Error{Fault::unavailable, fmt::format("{}: {}", stream_.name(), library_reason())};
    std::array<char, 16 * 1024> chunk;
    const std::size_t size = TRY(stream_.read_some(chunk, until));
    if (size == 0) return Error{Fault::unavailable, stream_.name() + ": closed by the peer"};
    BIO_write(SSL_get_rbio(session_.get()), chunk.data(), static_cast<int>(size));
    return {};
}

Result<std::size_t> TlsStream::read_some(std::span<char> into, const Until& until) {
    for (;;) {
        const int code = SSL_read(session_.get(), into.data(), static_cast<int>(into.size()));
        if (code > 0) return static_cast<std::size_t>(code);
        if (SSL_get_error(session_.get(), code) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
        TRY(serve(code, until));
    }
}

Result<void> TlsStream::write_all(std::string_view bytes, const Until& until) {
    while (!bytes.empty()) {
        const int code = SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (code > 0)
            bytes.remove_prefix(static_cast<std::size_t>(code));
        else
            TRY(serve(code, until));
    }
    return flush(until);
}

bool TlsStream::is_spent() const {
    // New session tickets may come at any time after a TLS 1.3 handshake (RFC 8446, 4.6.1): a readable
    // socket proves nothing, so a connection over TLS counts as fit until a request on it fails.
    return false;
}

}  // namespace kedge
