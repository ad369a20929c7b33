// How an instance judges itself. Three questions that must not be mixed:
//
//   is the process alive      /healthz     asks nothing of anybody else
//   could it serve            /readyz      needs a database that answers; a standby is enough, and Redis is
//                                          not needed: a passive region is ready long before it is healthy
//   does it serve, wholly     /api/health  writes to both stores, for real
//
// The real platform's health answer is "healthy" with both stores dead; this one is what it should be.
#include <fmt/format.h>

#include <algorithm>

#include "api.h"
#include "migrations.h"
#include "os/clock.h"
#include "releases.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span look_limit = 1s;
constexpr Span look_is_fresh = 1s;

Json check_json(bool is_healthy, const std::string& says, Span took) {
    Json json{{"healthy", is_healthy}, {"latency_ms", static_cast<double>(took.count()) / 1000.0}};
    if (!says.empty()) json["error"] = says;
    return json;
}

ApiResponse health_answer(int status, const Json& json) {
    return {.status = status, .body = dump(json)};
}

}  // namespace

Api::Health Api::look() {
    const std::lock_guard lock{health_mutex_};
    if (health_ && SystemClock{}.now() - health_->at < look_is_fresh) return *health_;
    Health health;
    // No write of ours may reach a database whose writes are held.
    const auto pass = gate_.enter(Span{0});
    const bool is_quiet = !pass;
    Moment start = SystemClock{}.now();
    const Statement write{
        "INSERT INTO health_check (instance) VALUES ($1)"
        " ON CONFLICT (instance) DO UPDATE SET timestamp = now() RETURNING id",
        {config_.instance}};
    const auto written =
        is_quiet ? database_.read({"SELECT 1", {}}, start + look_limit) : database_.write({write}, start + look_limit);
    const bool has_primary = database_.primary_region().has_value();
    health.database_writes = written.has_value() && has_primary;
    if (!written)
        health.database_says = written.error().message;
    else if (!has_primary)
        health.database_says = "no database takes writes";
    health.database_reads =
        health.database_writes || database_.read({"SELECT 1", {}}, SystemClock{}.now() + look_limit).has_value();
    health.database_took = SystemClock{}.now() - start;

    start = SystemClock{}.now();
    const std::string key = "health:" + config_.instance;
    const auto replies = is_quiet ? cache_.run({{"PING"}})
                                  : cache_.run({{"SET", key, kedge::to_string(start), "EX", "60"}, {"GET", key}});
    health.redis = replies.has_value();
    if (!replies) health.redis_says = replies.error().message;
    health.redis_took = SystemClock{}.now() - start;
    if (health.database_reads) look_at_release(health);
    health.at = SystemClock{}.now();
    health_ = health;
    return health;
}

// Whether this release serves, on the schema that is there.
void Api::look_at_release(Health& health) {
    const Release* const release = find_release(config_.release);
    if (release == nullptr) return;
    const auto rows = database_.read({select_version, {}}, SystemClock{}.now() + look_limit);
    const Result<int> version = rows ? version_of(*rows) : rows.error();
    if (!version)
        health.release_says = "the version of the schema: " + version.error().message;
    else if (*version < release->least || *version > release->most)
        health.release_says = fmt::format("release {} lives with versions {} to {} of the schema, and it is {}",
                                          release->name, release->least, release->most, *version);
    else if (!release->serves)
        health.release_says = fmt::format("release {} has a fault", release->name);
}

ApiResponse Api::live() const {
    return health_answer(200, {{"status", "ok"}, {"region", config_.region}, {"instance", config_.instance}});
}

ApiResponse Api::ready() const {
    // By what the watchers saw within the last quarter of a second: this answer must never wait.
    const auto servers = database_.servers();
    const auto answers = [](const ServerState& server) { return server.role != Role::unknown; };
    const bool own = std::ranges::any_of(
        servers, [&](const ServerState& server) { return server.region == config_.region && answers(server); });
    const bool any = std::ranges::any_of(servers, answers);
    const bool serves = database_.primary_region().has_value();
    Json databases = Json::object();
    for (const ServerState& server : servers) databases[server.region] = to_string(server.role);
    return health_answer(any ? 200 : 503, {{"status", any ? "ready" : "not_ready"},
                                           {"region", config_.region},
                                           {"instance", config_.instance},
                                           {"serving_writes", serves},
                                           {"able_to_take_over", own},
                                           {"databases", databases},
                                           {"redis", cache_.state().is_usable}});
}

ApiResponse Api::health() {
    const Health health = look();
    const bool is_healthy = health.serves();
    Json json{{"status", is_healthy ? "healthy" : "degraded"},
              {"timestamp", kedge::to_string(health.at)},
              {"region", config_.region},
              {"instance", config_.instance},
              {"version", config_.release}};
    json["maintenance"] = to_string(gate_.mode());
    if (!is_healthy)
        json["reason"] = !health.database_writes       ? "database: " + health.database_says
                         : health.release_says.empty() ? health.redis_says
                                                       : health.release_says;
    return health_answer(is_healthy ? 200 : 503, json);
}

ApiResponse Api::detailed_health() {
    const Health health = look();
    const Moment start = SystemClock{}.now();
    const auto counted = database_.read({"SELECT count(*) FROM knowledge_nodes", {}}, start + look_limit);
    Json checks{{"database", check_json(health.database_writes, health.database_says, health.database_took)},
                {"redis", check_json(health.redis, health.redis_says, health.redis_took)},
                {"sessions", check_json(health.redis, health.redis_says, health.redis_took)},
                {"rate_limiter", check_json(true, "", Span{0})},
                {"websocket", check_json(true, "", Span{0})},
                {"knowledge_mound",
                 check_json(counted.has_value(), counted ? "" : counted.error().message, SystemClock{}.now() - start)}};
    checks["database"]["primary_region"] = database_.primary_region() ? Json(*database_.primary_region()) : Json();
    checks["database"]["reads"] = health.database_reads;
    for (const ServerState& server : database_.servers())
        checks["database"]["servers"][server.region] = to_string(server.role);
    checks["rate_limiter"]["counts"] = health.redis ? "in Redis" : "alone";
    checks["websocket"]["connections"] = metrics_.open_web_sockets.load();
    if (counted) checks["knowledge_mound"]["nodes"] = counted->front()[0].value_or("");
    if (const auto master = cache_.state().master) checks["redis"]["master"] = kedge::to_string(*master);

    Json components = Json::object();
    for (const auto& [name, check] : checks.items()) components[name] = check["healthy"];
    const bool is_healthy = health.serves();
    return health_answer(200, {{"status", is_healthy ? "healthy" : "degraded"},
                               {"timestamp", kedge::to_string(health.at)},
                               {"region", config_.region},
                               {"instance", config_.instance},
                               {"version", config_.release},
                               {"maintenance", to_string(gate_.mode())},
                               {"checks", checks},
                               {"components", components}});
}

}  // namespace kedge::lab
