// A small HTTP/1.1 client: one request, one answer, no surprises.
//
// It follows no redirect, asks for no compression, keeps no cookie, and bounds what it reads: headers
// of 8 kB, a body of 1 MB. `https` verifies the server's certificate and name. An answer with any status
// is a success here: what a 503 means is the caller's to judge.
//
// Faults: invalid_input for a URL or header that cannot be sent; unavailable when nothing can have
// happened (no connection, or a request that may be repeated); outcome_unknown when a request that must
// not be repeated went out and no answer came back; corrupt for an answer that is not HTTP or too large.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "os/transport.h"
#include "os/wait.h"

namespace kedge {

inline constexpr std::size_t http_header_bytes_max = 8 * 1024;
inline constexpr std::size_t http_body_bytes_max = 1024 * 1024;

struct Url {
    std::string scheme;  // http, https, ws or wss
    std::string host;
    std::uint16_t port = 0;
    std::string target;  // the path with its query, at least "/"
};

// invalid_input for anything but scheme://host[:port][/path][?query] in printable ASCII: no user, no
// fragment.
Result<Url> parse_url(std::string_view text);
std::string to_string(const Url& url);

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
    std::string method = "GET";
    std::string target = {};  // for a connection: "/path?query"; for http_request: the whole URL
    HttpHeaders headers = {};
    std::string body = {};
    // Whether the request may be repeated without harm. By default GET, HEAD, OPTIONS, PUT and DELETE
    // may (RFC 9110, 9.2.2) and others not.
    std::optional<bool> idempotent = {};
};

struct HttpResponse {
    int status = 0;
    HttpHeaders headers = {};
    std::string body = {};

    // The first header of that name, whatever its case.
    std::optional<std::string> header(std::string_view name) const;
};

struct HttpOptions {
    std::string source = {};   // the local address to come from; empty for any
    std::string ca_file = {};  // authorities for https, PEM; empty for the system's
};

// One request on a connection of its own.
Result<HttpResponse> http_request(const HttpRequest& request, const Until& until, const HttpOptions& options = {});

// A connection that has left HTTP behind: after `response`, its status 101, both sides speak the protocol
// that the request asked for.
struct Upgraded {
    HttpResponse response;
    Transport transport;
    std::string rest;  // what was already read beyond the answer
};

// Asks to leave HTTP (RFC 9110, 7.8); the target is a whole URL. refused for any status but 101.
Result<Upgraded> http_upgrade(const HttpRequest& request, const Until& until, const HttpOptions& options = {});

// A connection that is kept for further requests to the same server and opened again when it was lost.
// For one thread at a time.
class HttpConnection {
public:
    // Does not connect yet. `origin` is scheme://host[:port]; its path, if any, is dropped.
    static Result<HttpConnection> to(std::string_view origin, HttpOptions options = {});

    // Connects if need be. A request that may be repeated is sent once more, on a new connection, when a kept
    // one is lost before its answer (RFC 9112, 9.3.1). After any error the connection is closed and the next
    // request opens another.
    Result<HttpResponse> request(const HttpRequest& request, const Until& until);
    bool is_open() const { return transport_.has_value(); }
    void close() { transport_.reset(); }

private:
    HttpConnection(Url origin, HttpOptions options) : origin_(std::move(origin)), options_(std::move(options)) {}

    Url origin_;
    HttpOptions options_;
    std::optional<Transport> transport_;
};

}  // namespace kedge
