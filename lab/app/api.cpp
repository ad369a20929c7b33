#include "api.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "os/clock.h"
#include "password.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span drain_limit = 1s;  // for writes that had passed before writes were held

Moment now() {
    return SystemClock{}.now();
}

int status_of(Fault fault) {
    switch (fault) {
        case Fault::invalid_input: return 400;
        case Fault::not_allowed: return 401;
        case Fault::not_found: return 404;
        case Fault::conflict: return 409;
        case Fault::unavailable:
        case Fault::outcome_unknown: return 503;
        case Fault::refused: return 503;
        case Fault::corrupt: return 500;
    }
    return 500;
}

ApiResponse json_response(int status, const Json& json) {
    return {.status = status, .body = dump(json)};
}

}  // namespace

Api::Api(const Config& config, RequestLog& log)
    : config_(config),
      log_(log),
      database_(config.database),
      cache_(config.cache),
      limiter_(cache_),
      gate_(config.maintenance, config.maintenance_file),
      knowledge_(config.knowledge) {}

ApiResponse Api::handle(const ApiRequest& request) {
    const Moment start = now();
    ApiResponse response = route(request);
    const Span took = now() - start;
    metrics_.count(request.method, response.route, response.status, took);
    response.headers.emplace_back("X-Aragora-Region", config_.region);
    response.headers.emplace_back("X-Aragora-Instance", config_.instance);
    log_.write({{"ts", kedge::to_string(now())},
                {"level", response.status >= 500 ? "error" : "info"},
                {"region", config_.region},
                {"instance", config_.instance},
                {"client", request.client},
                {"method", request.method},
                {"path", request.path},
                {"status", response.status},
                {"ms", static_cast<double>(took.count()) / 1000.0}});
    return response;
}

ApiResponse Api::answer(const std::string& route, Answer result) const {
    ApiResponse response;
    if (result) {
        response = std::move(*result);
    } else {
        const Error& error = result.error();
        response = json_response(status_of(error.fault), {{"error", error.message}});
        if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
        if (error.fault == Fault::outcome_unknown) response.headers.emplace_back("X-Outcome", "unknown");
    }
    response.route = route;
    return response;
}

ApiResponse Api::route(const ApiRequest& request) {
    const bool is_get = request.method == "GET" || request.method == "HEAD";
    const bool is_post = request.method == "POST";
    const std::string& path = request.path;
    if (path == "/healthz" && is_get) return answer(path, live());
    if (path == "/readyz" && is_get) return answer(path, ready());
    if ((path == "/api/health" || path == "/api/v1/health") && is_get) return answer("/api/health", health());
    if (path == "/api/health/detailed" && is_get) return answer(path, detailed_health());
    if (path == "/metrics" && is_get) return answer(path, metrics_page());
    if ((path == "/api/auth/login" || path == "/api/v1/auth/login") && is_post)
        return answer("/api/auth/login", login(request));
    if (path == "/api/debates" && is_post) return answer(path, create_debate(request));
    if (path == "/api/debates" && is_get) return answer(path, list_debates(request));
    if (path.starts_with("/api/debates/") && is_get)
        return answer("/api/debates/{id}", read_debate(request, path.substr(13)));
    if (path == "/api/knowledge" && is_get) return answer(path, search_knowledge(request));
    if (path == "/api/heartbeat" && is_post) return answer(path, take_heartbeat(request));
    if (path == "/api/heartbeat" && is_get) return answer(path, list_heartbeats(request));
    if (path == "/admin/maintenance") return answer(path, maintenance(request));
    return answer("other", Error{Fault::not_found, "Not found"});
}

bool Api::is_service(const ApiRequest& request) const {
    if (config_.service_token.empty()) return true;
    return is_same_secret(request.authorization, "Bearer " + config_.service_token);
}

Result<Api::Caller> Api::identify(const ApiRequest& request) {
    if (!config_.service_token.empty() && is_service(request)) return Caller{"", "ten_1", "service"};
    if (!request.authorization.starts_with("Bearer ")) return Error{Fault::not_allowed, "Authentication required"};
    const std::string token = request.authorization.substr(7);
    const auto replies = TRY(cache_.run({{"GET", "session:" + sha256_hex(token)}}).within("session store"));
    if (replies[0].kind != Reply::Kind::text) return Error{Fault::not_allowed, "Invalid or expired token"};
    const Json session = TRY(parse_json(replies[0].text));
    const std::string user = get_string(session, "user_id").value_or("");
    return Caller{user, get_string(session, "tenant_id").value_or(""), "session:" + sha256_hex(token).substr(0, 16)};
}

std::string Api::bucket_of(const ApiRequest& request) {
    if (request.authorization.empty()) return request.client;
    const auto caller = identify(request);
    return caller ? caller->bucket : request.client;
}

std::optional<ApiResponse> Api::limit(const std::string& what, const std::string& client, int limit,
                                      Allowance* allowance) {
    const Allowance asked = limiter_.ask(what, client, limit);
    if (allowance != nullptr) *allowance = asked;
    if (asked.is_allowed) return std::nullopt;
    ApiResponse response = json_response(429, {{"error", "Rate limit exceeded. Please try again later."},
                                               {"code", "rate_limit_exceeded"},
                                               {"retry_after", asked.retry_after_seconds}});
    response.headers = {{"Retry-After", std::to_string(asked.retry_after_seconds)},
                        {"X-RateLimit-Limit", std::to_string(asked.limit)},
                        {"X-RateLimit-Remaining", "0"}};
    return response;
}

Result<Rows> Api::write(const Transaction& transaction) {
    const Moment deadline = now() + config_.database.write_limit;
    ++metrics_.writes_waiting;
    struct Leave {
        std::atomic<int>& count;
        ~Leave() { --count; }
    } leave{metrics_.writes_waiting};
    const WriteGate::Pass pass = TRY(gate_.enter(config_.database.write_limit));
    // Whoever was held until the last moment has time for a try.
    return database_.write(transaction, std::max(deadline, now() + config_.database.attempt_limit));
}

Api::Answer Api::maintenance(const ApiRequest& request) {
    if (!is_service(request)) return Error{Fault::not_allowed, "Authentication required"};
    if (request.method == "PUT") {
        const Json body = TRY(parse_json(request.body));
        const Maintenance mode = TRY(parse_maintenance(get_string(body, "mode").value_or("")));
        TRY(gate_.set(mode, drain_limit));
    } else if (request.method != "GET") {
        return Error{Fault::invalid_input, "GET or PUT"};
    }
    return json_response(200, {{"mode", to_string(gate_.mode())},
                               {"instance", config_.instance},
                               {"region", config_.region},
                               {"writes_running", gate_.running()},
                               {"writes_waiting", metrics_.writes_waiting.load()}});
}

ApiResponse Api::metrics_page() const {
    const std::string labels = fmt::format("region=\"{}\",instance=\"{}\"", config_.region, config_.instance);
    std::string text = metrics_.text(labels);
    const auto add = [&](const char* name, const char* kind, const char* help, auto value) {
        text += metric_text(name, kind, help, labels, static_cast<double>(value));
    };
    const DatabaseCounters& counters = database_.counters();
    add("aragora_db_errors_total", "counter", "Tries of a statement that failed.", counters.errors.load());
    add("aragora_db_retries_total", "counter", "Tries of a statement after the first.", counters.retries.load());
    add("aragora_db_switches_total", "counter", "How often another primary was found.", counters.switches.load());
    add("aragora_db_writable", "gauge", "1 while a server takes writes.", database_.primary_region().has_value());
    add("aragora_redis_usable", "gauge", "1 while a Redis master answers.", cache_.state().is_usable);
    add("aragora_websocket_connections_active", "gauge", "Open WebSocket connections.",
        metrics_.open_web_sockets.load());
    add("aragora_writes_waiting", "gauge", "Writes in hand, waiting or held.", metrics_.writes_waiting.load());
    text += metric_text("aragora_release_info", "gauge", "The release that runs.",
                        labels + fmt::format(",release=\"{}\"", config_.release), 1);
    return {.body = std::move(text), .content_type = "text/plain; version=0.0.4"};
}

std::vector<std::string> Api::greet() const {
    return {dump(Json{{"type", "connection_info"},
                      {"data", {{"authenticated", false}, {"client_id", new_salt()}, {"write_access", false}}}}),
            dump(Json{{"type", "loop_list"}, {"data", {{"loops", Json::array()}, {"count", 0}}}})};
}

std::optional<std::string> Api::answer_message(const std::string& message) const {
    const auto json = parse_json(message);
    if (!json) return dump(Json{{"type", "error"}, {"data", {{"message", json.error().message}}}});
    const std::string type = get_string(*json, "type").value_or("");
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
    if (type == "ping")
        return dump(Json{{"type", "pong"}, {"data", {{"client_ts", get(*json, "ts")}, {"server_ts", milliseconds}}}});
    if (type == "subscribe") {
        const std::string debate = get_string(*json, "debate_id").value_or("");
        return dump(Json{{"type", "sync"}, {"data", {{"status", "waiting"}}}, {"debate_id", debate}});
    }
    if (type == "get_loops") return greet().back();
    return std::nullopt;
}

}  // namespace kedge::lab
