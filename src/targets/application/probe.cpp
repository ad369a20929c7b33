#include "targets/application/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "os/clock.h"
#include "os/http.h"
#include "os/secret.h"
#include "os/websocket.h"
#include "targets/placeholders.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span poll_interval = 100ms;

Moment now() {
    return SystemClock{}.now();
}

// One run of one probe: what it has captured so far and what it found.
class Run {
public:
    Run(const Probe& probe, const std::string& base, Values values, Moment deadline)
        : probe_(probe), base_(base), values_(std::move(values)), deadline_(deadline) {}

    ProbeLook look() {
        const Moment start = now();
        Truth holds = Truth::yes;
        if (!probe_.exchanges.empty()) holds = run_exchanges();
        if (holds == Truth::yes && probe_.websocket) holds = run_websocket();
        const Span took = now() - start;
        Json evidence{{"steps", steps_}, {"ms", took.count() / 1000}};
        for (const auto& [name, value] : shown_) evidence[name] = value;
        std::string says = holds == Truth::yes
                               ? fmt::format("{} ({})", probe_.says.empty() ? probe_.name : probe_.says, readable(took))
                               : why_;
        for (const auto& [name, value] : shown_)
            if (holds == Truth::yes) says += fmt::format(", {} {}", name, value);
        return {holds, std::move(says), std::move(evidence)};
    }

private:
    Truth fail(Truth verdict, std::string why) {
        why_ = std::move(why);
        return verdict;
    }
    // The verdict on a request that got no answer.
    Truth silent(const Error& error) {
        return fail(names_a_refusal(error) ? Truth::no : Truth::unknown, error.message);
    }

    Truth run_exchanges() {
        auto connection = HttpConnection::to(base_);
        if (!connection) return fail(Truth::no, connection.error().message);
        for (const ProbeExchange& exchange : probe_.exchanges) {
            const Truth holds =
                exchange.times > 1 || exchange.some ? repeat(*connection, exchange) : ask_until(*connection, exchange);
            if (holds != Truth::yes) return holds;
        }
        return Truth::yes;
    }

    Result<HttpResponse> ask(HttpConnection& connection, const ProbeExchange& exchange) {
        HttpRequest request{.method = exchange.method, .target = fill(exchange.target, values_)};
        for (const auto& [name, value] : exchange.headers) request.headers.emplace_back(name, fill(value, values_));
        if (!exchange.body.is_null()) {
            request.body = dump(fill_texts(exchange.body, values_));
            request.headers.emplace_back("Content-Type", "application/json");
        }
        const Moment start = now();
        auto response = connection.request(request, deadline_);
        Json step{{"request", exchange.method + " " + exchange.target}, {"ms", (now() - start).count() / 1000}};
        if (response) step["status"] = response->status;
        if (steps_.empty() || get(steps_.back(), "request") != step["request"] ||
            get(steps_.back(), "status") != get(step, "status"))
            steps_.push_back(step);
        return response;
    }

    // Asks until the answer is as expected, or the exchange's time or the deadline is over.
    Truth ask_until(HttpConnection& connection, const ProbeExchange& exchange) {
        const Moment end = std::min(deadline_, now() + exchange.until.value_or(Span{0}));
        for (;;) {
            const auto response = ask(connection, exchange);
            const std::string where = exchange.method + " " + exchange.target;
            const Truth holds = !response ? silent(response.error()) : judge(exchange, *response, where);
            if (holds == Truth::yes) return holds;
            if (now() + poll_interval >= end) return holds;
            wait_out(within(poll_interval));
        }
    }

    Truth judge(const ProbeExchange& exchange, const HttpResponse& response, const std::string& where) {
        if (exchange.expect)
            if (const auto mismatch = differs(*exchange.expect, response))
                return fail(Truth::no, where + ": " + *mismatch);
        return keep(exchange, response, where);
    }

    // Sends it as often as declared, or until the answer came that one of them must be.
    Truth repeat(HttpConnection& connection, const ProbeExchange& exchange) {
        const std::string where = fmt::format("{} {}", exchange.method, exchange.target);
        for (int i = 0; i < exchange.times; ++i) {
            const auto response = ask(connection, exchange);
            if (!response) return silent(response.error());
            if (exchange.some && !differs(*exchange.some, *response)) return keep(exchange, *response, where);
            if (!exchange.expect) continue;
            if (const auto mismatch = differs(*exchange.expect, *response))
                return fail(Truth::no, where + ": " + *mismatch);
        }
        if (!exchange.some) return Truth::yes;
        return fail(Truth::no, fmt::format("{}: none of {} answers was the one that must come", where, exchange.times));
    }

    Truth keep(const ProbeExchange& exchange, const HttpResponse& response, const std::string& where) {
        if (exchange.capture.empty()) return Truth::yes;
        const auto body = parse_json(response.body);
        if (!body) return fail(Truth::no, where + ": the answer is " + body.error().message);
        for (const auto& [name, pointer] : exchange.capture) {
            const auto text = scalar_text(at_pointer(*body, pointer));
            if (!text) return fail(Truth::no, fmt::format("{}: nothing stands at {}", where, pointer));
            values_[name] = *text;
            if (!is_used_in_a_header(name)) shown_[name] = *text;
        }
        return Truth::yes;
    }

    bool is_used_in_a_header(const std::string& name) const {
        return std::ranges::any_of(probe_.exchanges, [&](const ProbeExchange& exchange) {
            return std::ranges::any_of(exchange.headers,
                                       [&](const auto& header) { return names_in(header.second).contains(name); });
        });
    }

    std::optional<std::string> differs(const Expectation& expected, const HttpResponse& response) const {
        if (expected.status && *expected.status != response.status)
            return fmt::format("answered {} instead of {}", response.status, *expected.status);
        for (const auto& [name, wanted] : expected.headers)
            if (!matches(response.header(name), fill(wanted, values_)))
                return fmt::format("the header {} is not {}", name, wanted);
        if (expected.json.empty()) return std::nullopt;
        const auto body = parse_json(response.body);
        if (!body) return "the answer is " + body.error().message;
        for (const auto& [pointer, wanted] : expected.json) {
            const Json& found = at_pointer(*body, pointer);
            const bool is_there =
                wanted == "present" ? !found.is_null() : matches(scalar_text(found), fill(wanted, values_));
            if (!is_there) return fmt::format("{} is not {}", pointer, wanted);
        }
        return std::nullopt;
    }

    Truth run_websocket() {
        const ProbeWebSocket& wanted = *probe_.websocket;
        const std::string url = web_socket_url(wanted);
        auto socket = WebSocket::open(url, deadline_);
        if (!socket) {
            if (socket.error().fault == Fault::refused) return fail(Truth::no, socket.error().message);
            return silent(socket.error());
        }
        if (!wanted.greeting.empty())
            if (const auto read = await_type(*socket, wanted.greeting); !read) return silent(read.error());
        if (!wanted.send.is_null())
            if (const auto sent = socket->send(dump(fill_texts(wanted.send, values_)), deadline_); !sent)
                return silent(sent.error());
        if (!wanted.answer.empty())
            if (const auto read = await_type(*socket, wanted.answer); !read) return silent(read.error());
        steps_.push_back({{"websocket", wanted.path}, {"answered", true}});
        return Truth::yes;
    }

    std::string web_socket_url(const ProbeWebSocket& wanted) const {
        std::string base = wanted.url.empty() ? base_ : wanted.url;
        if (base.starts_with("http")) base.replace(0, 4, "ws");
        while (base.ends_with('/')) base.pop_back();
        return base + wanted.path;
    }

    Result<void> await_type(WebSocket& socket, const std::string& type) {
        for (;;) {
            const std::string message = TRY(socket.read_message(deadline_).within("waiting for a frame " + type));
            const auto json = parse_json(message);
            if (json && get_string(*json, "type") == type) return {};
        }
    }

    const Probe& probe_;
    const std::string& base_;
    Values values_;
    const Moment deadline_;
    Json steps_ = Json::array();
    std::map<std::string, std::string> shown_;
    std::string why_;
};

}  // namespace

ProbeLook run_probe(const Probe& probe, const std::string& base, const std::string& unique, Moment deadline) {
    Values values{{"unique", unique}};
    for (const auto& [name, reference] : probe.secrets) {
        auto secret = read_secret(reference);
        if (!secret)
            return {Truth::unknown, fmt::format("probe {}: {}", probe.name, secret.error().message), Json::object()};
        values["secret:" + name] = std::move(*secret);
    }
    ProbeLook look = Run{probe, base, std::move(values), deadline}.look();
    if (look.holds != Truth::yes) look.says = fmt::format("probe {}: {}", probe.name, look.says);
    return look;
}

}  // namespace kedge
