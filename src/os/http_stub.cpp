#include "os/http_stub.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge {
namespace {

using namespace std::chrono_literals;

// The request that `stream` brings next; an error at its end.
Result<HttpRequest> read_request(Stream& stream, const Until& until) {
    const std::string line = TRY(stream.read_line(until));
    const auto first = line.find(' '), second = line.rfind(' ');
    if (first == second) return Error{Fault::corrupt, "no request line"};
    HttpRequest request{.method = line.substr(0, first), .target = line.substr(first + 1, second - first - 1)};
    std::size_t body_bytes = 0;
    for (;;) {
        const std::string header = TRY(stream.read_line(until));
        if (header.empty()) break;
        const auto colon = std::min(header.find(": "), header.size());
        request.headers.emplace_back(header.substr(0, colon), header.substr(std::min(colon + 2, header.size())));
        if (request.headers.back().first == "Content-Length") body_bytes = std::stoul(request.headers.back().second);
    }
    request.body = TRY(stream.read_exactly(body_bytes, until));
    return request;
}

}  // namespace

HttpStub::HttpStub(StubAnswer answer)
    : answer_(std::move(answer)), listener_(Listener::listen({"127.0.0.1", 0}).value()) {
    accepting_ = std::jthread{[this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            auto stream = listener_.accept(within(1s, stop));
            if (!stream) continue;
            connections_.emplace_back([this, taken = std::move(*stream)](const std::stop_token& end) mutable {
                serve(std::move(taken), end);
            });
        }
    }};
}

HttpStub::~HttpStub() {
    accepting_.request_stop();
    accepting_.join();
    for (auto& connection : connections_) connection.request_stop();
}

void HttpStub::serve(Stream stream, const std::stop_token& stop) {
    const Until until = within(60s, stop);
    for (auto request = read_request(stream, until); request; request = read_request(stream, until)) {
        if (is_silent_) {
            wait_out(until);
            return;
        }
        const HttpResponse response = answer_(*request);
        std::string text =
            fmt::format("HTTP/1.1 {} Stub\r\nContent-Length: {}\r\n", response.status, response.body.size());
        for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
        if (!stream.write_all(text + "\r\n" + response.body, until)) return;
    }
}

}  // namespace kedge
