// What one instance answers. Paths and forms are those that the runbook assumes; where the real platform
// answers differently (a debate's key, login tokens under "tokens", "components" in the detailed health)
// both forms stand in one answer.
//
//   GET  /healthz               200 while the process serves at all: HAProxy's check
//   GET  /readyz                200 if a database answers reads: the instance can serve, or can take over
//                               once a database takes writes. Its body says which of both.
//   GET  /api/health            200 healthy or 503 degraded: writes to PostgreSQL and Redis work now, by a
//                               write to each (a read while writes are held). Never older than a second.
//   GET  /api/health/detailed   200 with every check
//   POST /api/auth/login        {email, password}: 200 user and tokens, 400, 401, 429, 503 without Redis
//   POST /api/debates           {question or task, agents, rounds}: 200 with debate_id; needs a bearer token.
//                               An Idempotency-Key makes a repeated request the same debate.
//   GET  /api/debates[/{id}]    200, 404; answered from a standby where no primary is; ?limit=1..100
//   GET  /api/knowledge?q=      the nodes with all these words: 200 {answered_by, degraded, results}; in degraded
//                               mode, or without an index that can be read, by the table instead, "because" says why
//   POST /api/heartbeat         {stream, seq}: 200 {stream, seq, at, region, instance} once committed
//   GET  /api/heartbeat?stream= the ranges of stored numbers
//   GET  /metrics               Prometheus text
//   GET|PUT /admin/maintenance  {mode}: off, hold, refuse. PUT answers when the writes that were under way
//                               are done ("writes_running": 0), or after a second with their number.
//   WebSocket /ws               connection_info and loop_list at once; ping, subscribe, get_loops
//
// Requests are limited for each session apart, else for each client address. A session token lives in Redis: while
// Redis is away logins and sessions fail with 503, and only the service token (heartbeats, probes) is accepted. Writes
// wait up to `write_wait` for a database that takes them, or for held writes to be released (and then for one `attempt`
// at least); then 503 with Retry-After.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cache.h"
#include "config.h"
#include "database.h"
#include "knowledge_index.h"
#include "limiter.h"
#include "metrics.h"
#include "request_log.h"
#include "write_gate.h"

namespace kedge::lab {

struct ApiRequest {
    std::string method;
    std::string path;  // without the query
    std::map<std::string, std::string> query;
    std::string authorization;    // the header's value
    std::string idempotency_key;  // the header's value
    std::string body;
    std::string client;  // address
};

struct ApiResponse {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    std::string route = "other";  // the pattern that matched, for metrics
};

// Any thread may call.
class Api {
public:
    Api(const Config& config, RequestLog& log);

    // Answers, counts and logs.
    ApiResponse handle(const ApiRequest& request);

    // For the WebSocket: the two frames that greet, and the answer to a message; nothing if it deserves none.
    std::vector<std::string> greet() const;
    std::optional<std::string> answer_message(const std::string& message) const;
    RequestMetrics& metrics() { return metrics_; }

private:
    struct Caller {
        std::string user_id;  // empty for the service token
        std::string tenant_id;
        std::string bucket;  // by whom requests are counted
    };
    struct Health {
        bool database_writes = false, database_reads = false, redis = false;
        std::string database_says, redis_says;
        std::string release_says;  // why this release cannot serve; empty: it can
        Span database_took{}, redis_took{};
        Moment at{};

        bool serves() const { return database_writes && redis && release_says.empty(); }
    };
    using Answer = Result<ApiResponse>;

    ApiResponse route(const ApiRequest& request);
    ApiResponse answer(const std::string& route, Answer answer) const;

    ApiResponse live() const;
    ApiResponse ready() const;
    ApiResponse health();
    ApiResponse detailed_health();
    ApiResponse metrics_page() const;
    Answer login(const ApiRequest& request);
    Answer create_debate(const ApiRequest& request);
    Answer read_debate(const ApiRequest& request, const std::string& id);
    Answer list_debates(const ApiRequest& request);
    Answer search_knowledge(const ApiRequest& request);
    Answer take_heartbeat(const ApiRequest& request);
    Answer list_heartbeats(const ApiRequest& request);
    Answer maintenance(const ApiRequest& request);

    Result<Caller> identify(const ApiRequest& request);
    // By whom a request that needs no login is counted: by its session if it has a valid one, else by address.
    std::string bucket_of(const ApiRequest& request);
    bool is_service(const ApiRequest& request) const;
    // Counts the request; an answer 429 where it is one too many.
    std::optional<ApiResponse> limit(const std::string& what, const std::string& client, int limit,
                                     Allowance* allowance = nullptr);
    // Waits while writes are held, then writes. Everything that changes the database goes through here.
    Result<Rows> write(const Transaction& transaction);
    Health look();
    void look_at_release(Health& health);

    const Config config_;
    RequestLog& log_;
    Database database_;
    Cache cache_;
    Limiter limiter_;
    RequestMetrics metrics_;

    WriteGate gate_;
    ServedKnowledge knowledge_;

    std::mutex health_mutex_;  // held across a look, so that many askers cost one
    std::optional<Health> health_;
};

}  // namespace kedge::lab
