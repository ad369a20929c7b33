#include "os/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>

#include "os/beast_stream.h"

namespace kedge {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_field_value(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool same_name(std::string_view a, std::string_view b) {
    return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

std::uint16_t usual_port(const std::string& scheme) {
    return scheme == "https" || scheme == "wss" ? 443 : 80;
}

bool may_repeat(const HttpRequest& request) {
    if (request.idempotent) return *request.idempotent;
    return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS" ||
           request.method == "PUT" || request.method == "DELETE";
}

Result<http::request<http::string_body>> compose(const HttpRequest& request, const Url& origin) {
    const http::verb method = http::string_to_verb(request.method);
    if (method == http::verb::unknown)
        return Error{Fault::invalid_input, fmt::format("'{}' is no HTTP method", request.method)};
    if (request.target.empty() || request.target.front() != '/' || !is_printable(request.target))
        return Error{Fault::invalid_input, fmt::format("'{}' is no path", request.target)};
    http::request<http::string_body> composed{method, request.target, 11};
    composed.set(http::field::host, origin.port == usual_port(origin.scheme)
                                        ? origin.host
                                        : to_string(Endpoint{origin.host, origin.port}));
    composed.set(http::field::user_agent, "kedge");
    for (const auto& [name, value] : request.headers) {
        if (name.empty() || !is_printable(name) || name.find(':') != std::string::npos || !is_field_value(value))
            return Error{Fault::invalid_input, fmt::format("header '{}' cannot be sent", name)};
        composed.set(name, value);
    }
    composed.body() = request.body;
    if (!request.body.empty() || method == http::verb::post || method == http::verb::put) composed.prepare_payload();
    return composed;
}

Fault fault_of(const boost::system::error_code& code) {
    if (code == http::error::end_of_stream || code == http::error::partial_message) return Fault::unavailable;
    return code.category() == http::make_error_code(http::error::bad_line_ending).category() ? Fault::corrupt
                                                                                             : Fault::unavailable;
}

std::string message_of(const boost::system::error_code& code) {
    if (code == http::error::end_of_stream) return "closed without an answer";
    if (code == http::error::partial_message) return "closed in the middle of the answer";
    if (code == http::error::body_limit)
        return fmt::format("the answer's body is larger than {} bytes", http_body_bytes_max);
    if (code == http::error::header_limit)
        return fmt::format("the answer's headers are larger than {} bytes", http_header_bytes_max);
    return "not an HTTP answer: " + code.message();
}

// The final answer and whether the connection can carry another request.
struct Answer {
    HttpResponse response;
    bool can_go_on = false;
    std::string rest;  // read beyond the answer
};

Result<Answer> read_answer(BeastStream<Transport>& stream, bool is_head) {
    beast::flat_buffer buffer{http_header_bytes_max + http_body_bytes_max};
    for (;;) {
        http::response_parser<http::string_body> parser;
        parser.header_limit(http_header_bytes_max);
        parser.body_limit(http_body_bytes_max);
        parser.skip(is_head);
        boost::system::error_code code;
        http::read(stream, buffer, parser, code);
        if (stream.failure) return *stream.failure;
        if (code) return Error{fault_of(code), message_of(code)};
        auto message = parser.release();
        if (message.result_int() >= 100 && message.result_int() < 200 && message.result_int() != 101) continue;
        Answer answer;
        answer.response.status = static_cast<int>(message.result_int());
        for (const auto& field : message)
            answer.response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
        answer.can_go_on = message.keep_alive() && !message.need_eof() && buffer.size() == 0;
        answer.response.body = std::move(message.body());
        answer.rest = beast::buffers_to_string(buffer.data());
        return answer;
    }
}

Result<Answer> exchange(Transport& transport, const http::request<http::string_body>& request, const Until& until) {
    BeastStream<Transport> stream{transport, until};
    http::request_serializer<http::string_body> serializer{request};
    boost::system::error_code code;
    http::write(stream, serializer, code);
    if (stream.failure) return *stream.failure;
    return read_answer(stream, request.method() == http::verb::head);
}

TransportOptions transport_to(const Url& url, const HttpOptions& options) {
    return {.to = {url.host, url.port},
            .is_encrypted = url.scheme == "https",
            .source = options.source,
            .ca_file = options.ca_file};
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return Error{Fault::invalid_input, fmt::format("'{}' is no URL that can be asked: {}", text, why)};
    };
    if (!is_printable(text)) return wrong("it has blanks or characters that are not ASCII");
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return wrong("it has no scheme");
    Url url;
    url.scheme = std::string(text.substr(0, scheme_end));
    if (url.scheme != "http" && url.scheme != "https" && url.scheme != "ws" && url.scheme != "wss")
        return wrong("the scheme must be http, https, ws or wss");
    std::string_view rest = text.substr(scheme_end + 3);
    if (rest.find('#') != std::string_view::npos) return wrong("a fragment is never sent");
    const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
    const std::string_view authority = rest.substr(0, authority_end);
    if (authority.find('@') != std::string_view::npos) return wrong("a user or password does not belong in a URL");
    url.target = std::string(rest.substr(authority_end));
    if (url.target.empty() || url.target.front() == '?') url.target.insert(0, "/");
    const bool has_port =
        !authority.empty() && authority.back() != ']' && authority.find(':') != std::string_view::npos;
    const auto endpoint =
        parse_endpoint(has_port ? std::string(authority) : fmt::format("{}:{}", authority, usual_port(url.scheme)));
    if (!endpoint) return wrong("it names no host");
    url.host = endpoint->host;
    url.port = endpoint->port;
    return url;
}

std::string to_string(const Url& url) {
    return fmt::format("{}://{}{}", url.scheme, to_string(Endpoint{url.host, url.port}), url.target);
}

std::optional<std::string> HttpResponse::header(std::string_view name) const {
    const auto found = std::ranges::find_if(headers, [&](const auto& field) { return same_name(field.first, name); });
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

Result<HttpConnection> HttpConnection::to(std::string_view origin, HttpOptions options) {
    Url url = TRY(parse_url(origin));
    if (url.scheme != "http" && url.scheme != "https")
        return Error{Fault::invalid_input, fmt::format("'{}' is not http or https", origin)};
    return HttpConnection{std::move(url), std::move(options)};
}

Result<HttpResponse> HttpConnection::request(const HttpRequest& request, const Until& until) {
    Url url = origin_;
    url.target = request.target;
    const std::string where = request.method + " " + to_string(url);
    const auto composed = TRY(compose(request, origin_).within(where));
    if (transport_ && transport_->is_spent()) transport_.reset();
    const bool was_kept = transport_.has_value();
    if (!was_kept) transport_ = TRY(connect_transport(transport_to(origin_, options_), until).within(where));

    auto answer = exchange(*transport_, composed, until);
    // The server may close a kept connection in the very moment in which the request is on its way.
    if (!answer && was_kept && may_repeat(request) && answer.error().fault == Fault::unavailable) {
        transport_.reset();  // an answer that is late must not be taken for that to the next request
        transport_ = TRY(connect_transport(transport_to(origin_, options_), until).within(where));
        answer = exchange(*transport_, composed, until);
    }
    if (!answer || !answer->can_go_on) transport_.reset();
    if (answer) return std::move(answer->response);
    Error error = std::move(answer).error().within(where);
    if (!may_repeat(request)) error.fault = Fault::outcome_unknown;
    return error;
}

Result<HttpResponse> http_request(const HttpRequest& request, const Until& until, const HttpOptions& options) {
    Url url = TRY(parse_url(request.target));
    HttpRequest relative = request;
    relative.target = url.target;
    relative.headers.emplace_back("Connection", "close");
    HttpConnection connection = TRY(HttpConnection::to(request.target, options));
    return connection.request(relative, until);
}

Result<Upgraded> http_upgrade(const HttpRequest& request, const Until& until, const HttpOptions& options) {
    const Url url = TRY(parse_url(request.target));
    const std::string where = request.method + " " + request.target;
    HttpRequest relative = request;
    relative.target = url.target;
    const auto composed = TRY(compose(relative, url).within(where));
    Transport transport = TRY(connect_transport(transport_to(url, options), until).within(where));
    Answer answer = TRY(exchange(transport, composed, until).within(where));
    if (answer.response.status != 101)
        return Error{Fault::refused, fmt::format("{}: answered {}", where, answer.response.status)};
    return Upgraded{std::move(answer.response), std::move(transport), std::move(answer.rest)};
}

}  // namespace kedge
