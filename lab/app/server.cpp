#include "server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <charconv>
#include <list>
#include <thread>

#include "os/beast_stream.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::size_t connections_max = 512;
constexpr Span idle_limit = 60s;
constexpr Span request_limit = 5s;  // to send a request once begun, and to take an answer

using Wire = BeastStream<Stream>;
using Request = http::request<http::string_body>;

std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        const bool is_escape =
            text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3;
        plain += is_escape ? static_cast<char>(value) : text[i] == '+' ? ' ' : text[i];
        if (is_escape) i += 2;
    }
    return plain;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
    std::map<std::string, std::string> query;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const std::string_view pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        query[unescaped(pair.substr(0, equals))] = unescaped(pair.substr(std::min(equals + 1, pair.size())));
    }
    return query;
}

std::string field(const Request& request, http::field name) {
    return std::string(request[name]);
}

// The entrance appends the client's address; what stands before came from the client and proves nothing.
std::string client_address(const Request& request, const std::string& peer) {
    std::string_view forwarded{request["X-Forwarded-For"].data(), request["X-Forwarded-For"].size()};
    const auto comma = forwarded.rfind(',');
    if (comma != std::string_view::npos) forwarded.remove_prefix(comma + 1);
    while (!forwarded.empty() && forwarded.front() == ' ') forwarded.remove_prefix(1);
    if (!forwarded.empty()) return std::string(forwarded);
    return peer.substr(0, peer.rfind(':'));
}

ApiRequest to_api_request(const Request& request, const std::string& peer) {
    const std::string target{request.target()};
    const auto mark = std::min(target.find('?'), target.size());
    return {.method = std::string(request.method_string()),
            .path = target.substr(0, mark),
            .query = parse_query(std::string_view(target).substr(std::min(mark + 1, target.size()))),
            .authorization = field(request, http::field::authorization),
            .idempotency_key = std::string(request["Idempotency-Key"]),
            .body = request.body(),
            .client = client_address(request, peer)};
}

void serve_web_socket(Wire& wire, const Request& request, Api& api, const std::stop_token& stop) {
    websocket::stream<Wire&> socket{wire};
    socket.read_message_max(http_body_bytes_max);
    boost::system::error_code code;
    wire.until = within(request_limit, stop);
    socket.accept(request, code);
    if (code) return;
    struct Count {
        std::atomic<int>& open;
        explicit Count(std::atomic<int>& open_) : open(open_) { ++open; }
        ~Count() { --open; }
    } const count{api.metrics().open_web_sockets};
    const auto send = [&](const std::string& message) {
        wire.until = within(request_limit, stop);
        socket.text(true);
        socket.write(boost::asio::buffer(message), code);
    };
    for (const std::string& message : api.greet()) send(message);
    while (!code) {
        wire.until = within(idle_limit, stop);
        beast::flat_buffer buffer;
        socket.read(buffer, code);
        if (code) break;
        if (const auto answer = api.answer_message(beast::buffers_to_string(buffer.data()))) send(*answer);
    }
}

bool send_answer(Wire& wire, const Request& request, ApiResponse answer, const std::stop_token& stop) {
    http::response<http::string_body> response{static_cast<http::status>(answer.status), request.version()};
    response.set(http::field::server, "aragora-lab");
    response.set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) response.set(name, value);
    response.keep_alive(request.keep_alive() && !stop.stop_requested());
    response.body() = std::move(answer.body);
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    boost::system::error_code code;
    wire.until = within(request_limit);
    http::write(wire, response, code);
    return !code && response.keep_alive();
}

void serve_connection(Stream stream, Api& api, const std::stop_token& stop) {
    Wire wire{stream, within(idle_limit, stop)};
    beast::flat_buffer buffer{http_header_bytes_max + http_body_bytes_max};
    for (;;) {
        http::request_parser<http::string_body> parser;
        parser.header_limit(http_header_bytes_max);
        parser.body_limit(http_body_bytes_max);
        wire.until = within(idle_limit, stop);
        boost::system::error_code code;
        http::read_header(wire, buffer, parser, code);
        if (code) return;
        wire.until = within(request_limit, stop);
        http::read(wire, buffer, parser, code);
        if (code) return;
        const Request request = parser.release();
        if (websocket::is_upgrade(request) && request.target().starts_with("/ws"))
            return serve_web_socket(wire, request, api, stop);
        if (!send_answer(wire, request, api.handle(to_api_request(request, stream.name())), stop)) return;
    }
}

struct Worker {
    std::atomic<bool> is_done{false};
    std::jthread thread;
};

}  // namespace

void serve(Listener& listener, Api& api, const std::stop_token& stop) {
    std::list<Worker> workers;
    while (!stop.stop_requested()) {
        auto stream = listener.accept(within(1s, stop));
        std::erase_if(workers, [](const Worker& worker) { return worker.is_done.load(); });
        if (!stream || workers.size() >= connections_max) continue;
        Worker& worker = workers.emplace_back();
        worker.thread = std::jthread{[&worker, &api, &stop, taken = std::move(*stream)]() mutable {
            serve_connection(std::move(taken), api, stop);
            worker.is_done = true;
        }};
    }
}

}  // namespace kedge::lab
