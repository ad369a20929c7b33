// The application against real PostgreSQL and Redis servers of the test's own, which it kills and promotes.
#include "api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "migrations.h"
#include "os/clock.h"
#include "os/websocket.h"
#include "releases.h"
#include "server.h"
#include "test_stores.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// An instance in the first region, on stores that all tests share but those that break them.
class ApiTest : public testing::Test {
protected:
    explicit ApiTest(bool breaks_stores = false) {
        if (breaks_stores) own_ = std::make_unique<Stores>();
        stores = breaks_stores ? own_.get() : &shared_stores();
        auto redis = RedisConnection::open(stores->redis->endpoint(), "", within(5s)).value();
        check(redis.command({"FLUSHALL"}, within(5s)).has_value(), "Redis can be emptied");
        stores->primary->sql("DELETE FROM lab_heartbeat");
        config = {.instance = "api-1",
                  .region = "east",
                  .database = {{{"east", stores->primary->conninfo()}, {"west", stores->standby->conninfo()}}},
                  .cache = {{stores->sentinel->endpoint()}, "group"},
                  .log = stores->directory.path() + "/request.log",
                  .release = "1.2.3",
                  .service_token = "service"};
        start();
    }

    // (Re)starts the instance and waits until it has found its stores.
    void start() {
        api.reset();
        log.emplace(RequestLog::open(config.log).value());
        api = std::make_unique<Api>(config, *log);
        EXPECT_TRUE(await([&] {
            const Json ready = body_of(ask("GET", "/readyz"));
            return get_bool(ready, "serving_writes") == true && get_bool(ready, "redis") == true;
        }));
    }
    static bool await(const auto& condition, Span patience = 10s) {
        const Moment end = SystemClock{}.now() + patience;
        while (!condition()) {
            if (SystemClock{}.now() > end) return false;
            wait_out(within(10ms));
        }
        return true;
    }
    ApiResponse ask(const std::string& method, const std::string& path, const std::string& body = {},
                    const std::string& token = "service") const {
        return api->handle({.method = method,
                            .path = path,
                            .authorization = token.empty() ? "" : "Bearer " + token,
                            .body = body,
                            .client = "192.0.2.1"});
    }
    ApiResponse beat(std::int64_t sequence) const {
        return ask("POST", "/api/heartbeat", dump(Json{{"stream", "probe"}, {"seq", sequence}}));
    }
    std::string set_writes(const std::string& mode) const {
        return ask("PUT", "/admin/maintenance", dump(Json{{"mode", mode}})).body;
    }
    static Json body_of(const ApiResponse& response) { return parse_json(response.body).value(); }
    static std::string header_of(const ApiResponse& response, const std::string& name) {
        for (const auto& [key, value] : response.headers)
            if (key == name) return value;
        return "";
    }
    std::string log_in() const {
        const auto answer =
            ask("POST", "/api/auth/login", dump(Json{{"email", probe_email}, {"password", "probe password"}}), "");
        EXPECT_EQ(answer.status, 200) << answer.body;
        return get_string(get(body_of(answer), "tokens"), "access_token").value_or("");
    }

private:
    std::unique_ptr<Stores> own_;

protected:
    Stores* stores = nullptr;
    Config config;
    std::optional<RequestLog> log;
    std::unique_ptr<Api> api;
};

// An instance on stores of its own, for tests that break them.
class BrokenStoresTest : public ApiTest {
protected:
    BrokenStoresTest() : ApiTest(true) {}
};

TEST_F(ApiTest, AHeartbeatIsStoredOnceHoweverOftenItIsSent) {
    const auto first = beat(7);
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(get_integer(body_of(first), "seq"), 7);
    EXPECT_EQ(get_string(body_of(first), "region"), "east");
    EXPECT_EQ(get(body_of(beat(7)), "at"), get(body_of(first), "at"));
    EXPECT_EQ(beat(8).status, 200);
    EXPECT_EQ(beat(10).status, 200);
    const auto listed =
        api->handle({.method = "GET", .path = "/api/heartbeat", .query = {{"stream", "probe"}}, .client = "x"});
    EXPECT_EQ(dump(get(body_of(listed), "ranges")), "[[7,8],[10,10]]");
    EXPECT_EQ(ask("POST", "/api/heartbeat", R"({"stream":"probe","seq":1})", "").status, 401);
    EXPECT_EQ(ask("POST", "/api/heartbeat", R"({"stream":"no'; drop","seq":1})").status, 400);
    EXPECT_EQ(ask("POST", "/api/heartbeat", "not json").status, 400);
}

TEST_F(BrokenStoresTest, WritesThatMeetAFailoverAreHeldAndNotLost) {
    std::vector<std::pair<std::int64_t, int>> answers;
    std::jthread writer{[&](const std::stop_token& stop) {
        for (std::int64_t sequence = 1; !stop.stop_requested(); ++sequence)
            answers.emplace_back(sequence, beat(sequence).status);
    }};
    wait_out(within(300ms));
    // Nothing acknowledged may be missing later, so the standby is given what it lacks before the end.
    set_writes("hold");
    const std::string last = stores->primary->sql("SELECT max(seq) FROM lab_heartbeat");
    ASSERT_TRUE(stores->standby->await("SELECT max(seq) FROM lab_heartbeat", last));
    stores->primary->kill();
    set_writes("off");
    stores->standby->sql("SELECT pg_promote()");
    wait_out(within(500ms));
    writer.request_stop();
    writer.join();
    ASSERT_GT(answers.size(), 20U);
    for (const auto& [sequence, status] : answers) EXPECT_EQ(status, 200) << sequence;
    EXPECT_EQ(stores->standby->sql("SELECT count(*) FROM lab_heartbeat"), std::to_string(answers.size()));
    EXPECT_EQ(get(body_of(ask("GET", "/readyz")), "databases")["west"], "primary");
}

TEST_F(BrokenStoresTest, WithoutAPrimaryWritesEndWith503AndReadsAreServed) {
    stores->primary->kill();
    const Moment start = SystemClock{}.now();
    const auto answer = beat(1);
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(header_of(answer, "Retry-After"), "");
    EXPECT_GE(SystemClock{}.now() - start, 1900ms);
    EXPECT_LT(SystemClock{}.now() - start, 3s);
    EXPECT_EQ(ask("GET", "/api/debates/deb_17").status, 200);
    EXPECT_EQ(ask("GET", "/api/health").status, 503);
    const auto ready = ask("GET", "/readyz");
    EXPECT_EQ(ready.status, 200);
    EXPECT_EQ(get_bool(body_of(ready), "serving_writes"), false);
    EXPECT_EQ(get_bool(body_of(ready), "able_to_take_over"), false);  // its own region's database is gone
    stores->standby->kill();
    EXPECT_TRUE(await([&] { return ask("GET", "/readyz").status == 503; }));
    EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(BrokenStoresTest, ASilentPrimaryIsLeftForTheNewOne) {
    stores->primary->freeze();
    std::jthread promoter{[&] {
        wait_out(within(200ms));
        stores->standby->sql("SELECT pg_promote()");
    }};
    const auto answer = beat(1);
    EXPECT_EQ(answer.status, 200) << answer.body;
    promoter.join();
    EXPECT_EQ(stores->standby->sql("SELECT count(*) FROM lab_heartbeat"), "1");
    stores->primary->thaw();
    // Two that call themselves primary: the later timeline counts.
    wait_out(within(600ms));
    EXPECT_EQ(beat(2).status, 200);
    EXPECT_EQ(stores->standby->sql("SELECT count(*) FROM lab_heartbeat"), "2");
}

TEST_F(ApiTest, APrimaryHeldReadOnlyTakesNoWrites) {
    stores->primary->configure("default_transaction_read_only = on");
    stores->primary->sql("SELECT pg_reload_conf()");
    EXPECT_TRUE(await([&] { return ask("GET", "/api/health").status == 503; }));
    EXPECT_EQ(get(body_of(ask("GET", "/readyz")), "databases")["east"], "read-only primary");
    EXPECT_EQ(beat(1).status, 503);
    stores->primary->configure("default_transaction_read_only = off");
    stores->primary->sql("SELECT pg_reload_conf()");
    EXPECT_TRUE(await([&] { return beat(2).status == 200; }));
}

TEST_F(ApiTest, HeldWritesPassWhenTheyAreReleased) {
    EXPECT_THAT(set_writes("hold"), HasSubstr("\"writes_running\":0"));
    int status = 0;
    std::jthread writer{[&] { status = beat(1).status; }};
    wait_out(within(100ms));
    EXPECT_EQ(stores->standby->sql("SELECT count(*) FROM lab_heartbeat"), "0");
    EXPECT_EQ(ask("GET", "/api/debates/deb_17").status, 200);
    EXPECT_EQ(ask("GET", "/api/health").status, 200);
    set_writes("off");
    writer.join();
    EXPECT_EQ(status, 200);
}

TEST_F(ApiTest, HeldWritesEndWith503WhenNobodyReleasesThem) {
    config.database.write_limit = 100ms;
    start();
    set_writes("hold");
    EXPECT_EQ(beat(1).status, 503);
    EXPECT_EQ(stores->primary->sql("SELECT count(*) FROM lab_heartbeat"), "0");
}

TEST_F(ApiTest, RefusedWritesFailAtOnceAndNothingOfOursIsWritten) {
    set_writes("refuse");
    const char* const traces =
        "SELECT (SELECT max(timestamp) FROM health_check)::text || (SELECT coalesce(max(last_login_at)::text, '') FROM "
        "users)";
    const std::string before = stores->primary->sql(traces);
    EXPECT_EQ(beat(1).status, 503);
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"why"})").status, 503);
    EXPECT_NE(log_in(), "");
    wait_out(within(1100ms));  // the last health check is out of date
    EXPECT_EQ(ask("GET", "/api/health").status, 200);
    EXPECT_EQ(stores->primary->sql("SELECT count(*) FROM lab_heartbeat"), "0");
    EXPECT_EQ(stores->primary->sql(traces), before);
    EXPECT_EQ(ask("PUT", "/admin/maintenance", R"({"mode":"sometimes"})").status, 400);
    EXPECT_EQ(ask("PUT", "/admin/maintenance", R"({"mode":"off"})", "wrong").status, 401);
}

TEST_F(ApiTest, MaintenanceOutlivesARestart) {
    config.maintenance_file = stores->directory.path() + "/mode";
    start();
    set_writes("refuse");
    start();
    EXPECT_EQ(get_string(body_of(ask("GET", "/admin/maintenance")), "mode"), "refuse");
    EXPECT_EQ(beat(1).status, 503);
}

TEST_F(ApiTest, AUserLogsInAndCreatesADebateThatCanBeRead) {
    EXPECT_EQ(ask("POST", "/api/auth/login", R"({"email":"dr-probe@aragora.example","password":"x"})", "").status, 401);
    EXPECT_EQ(ask("POST", "/api/auth/login", R"({"email":"nobody@aragora.example","password":"x"})", "").status, 401);
    EXPECT_EQ(ask("POST", "/api/auth/login", R"({"email":"dr-probe@aragora.example"})", "").status, 400);
    const std::string token = log_in();
    const auto created = ask("POST", "/api/debates", R"({"question":"Is it so?","rounds":2})", token);
    ASSERT_EQ(created.status, 200) << created.body;
    const std::string id = get_string(body_of(created), "debate_id").value_or("");
    const auto read = ask("GET", "/api/debates/" + id);
    EXPECT_EQ(get_string(body_of(read), "task"), "Is it so?");
    EXPECT_EQ(get_string(body_of(read), "creator_id"), "usr_dr_probe");
    EXPECT_THAT(ask("GET", "/api/debates").body, HasSubstr(id));
    EXPECT_EQ(stores->primary->sql("SELECT count(*) FROM audit_logs WHERE resource_id = '" + id + "'"), "1");
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?"})", "").status, 401);
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?"})", "made up").status, 401);
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?","rounds":21})", token).status, 400);
    EXPECT_EQ(ask("GET", "/api/debates/none").status, 404);
}

TEST_F(ApiTest, ARepeatedRequestWithOneKeyIsOneDebate) {
    const ApiRequest request{.method = "POST",
                             .path = "/api/debates",
                             .authorization = "Bearer service",
                             .idempotency_key = "once",
                             .body = R"({"question":"Twice?"})",
                             .client = "x"};
    EXPECT_EQ(api->handle(request).body, api->handle(request).body);
    EXPECT_EQ(stores->primary->sql("SELECT count(*) FROM debates WHERE task = 'Twice?'"), "1");
}

TEST_F(ApiTest, RateLimitingRefusesWithItsHeaders) {
    ApiResponse last;
    // Twice the limit, as the minute may end meanwhile.
    for (int i = 0; i <= 2 * config.limits.list && last.status == 200; ++i) last = ask("GET", "/api/debates");
    EXPECT_EQ(last.status, 429);
    EXPECT_EQ(header_of(last, "X-RateLimit-Limit"), std::to_string(config.limits.list));
    EXPECT_EQ(header_of(last, "X-RateLimit-Remaining"), "0");
    EXPECT_NE(header_of(last, "Retry-After"), "");
    EXPECT_EQ(ask("GET", "/api/debates/deb_17").status, 200);
    EXPECT_EQ(ask("GET", "/api/debates", "", log_in()).status, 200);  // another session is counted apart
}

TEST_F(ApiTest, WithoutRedisWritesAreServedAndSessionsAreNot) {
    const std::string token = log_in();
    stores->redis->kill();
    EXPECT_TRUE(await([&] { return get_bool(body_of(ask("GET", "/readyz")), "redis") == false; }));
    EXPECT_EQ(beat(1).status, 200);
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?"})").status, 200);
    EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?"})", token).status, 503);
    EXPECT_EQ(
        ask("POST", "/api/auth/login", R"({"email":"dr-probe@aragora.example","password":"probe password"})").status,
        503);
    EXPECT_TRUE(await([&] { return ask("GET", "/api/health").status == 503; }));
    EXPECT_EQ(ask("GET", "/readyz").status, 200);
    const auto checks = get(body_of(ask("GET", "/api/health/detailed")), "checks");
    EXPECT_EQ(checks["database"]["healthy"], true);
    EXPECT_EQ(checks["redis"]["healthy"], false);
    bool is_limited = false;
    for (int i = 0; i < 2 * config.limits.list + 1; ++i) is_limited = ask("GET", "/api/debates").status == 429;
    EXPECT_TRUE(is_limited);
    stores->redis->start_again();
    EXPECT_TRUE(await([&] {
        return ask("POST", "/api/auth/login", R"({"email":"dr-probe@aragora.example","password":"probe password"})")
                   .status == 200;
    }));
}

TEST_F(ApiTest, FollowsTheSentinelToTheNewMaster) {
    const ScratchDirectory directory;
    const auto master = ScratchRedis::start(directory);
    const auto replica = ScratchRedis::start(directory, master->endpoint());
    auto link = RedisConnection::open(master->endpoint(), "", within(5s)).value();
    ASSERT_TRUE(await([&] { return link.command({"WAIT", "1", "100"}, within(5s))->integer == 1; }));
    const auto sentinel = ScratchRedis::start_sentinel(directory, master->endpoint(), "group");
    auto sentinel_link = RedisConnection::open(sentinel->endpoint(), "", within(5s)).value();
    // A replica that the Sentinel has not asked yet is no candidate, and a failover given up is tried again
    // only after twice its timeout.
    ASSERT_TRUE(await(
        [&] {
            const auto replicas = sentinel_link.command({"SENTINEL", "REPLICAS", "group"}, within(5s));
            if (!replicas || replicas->items.empty()) return false;
            const auto& fields = replicas->items[0].items;  // names and values in turn
            const auto status = std::ranges::find(fields, "master-link-status", &Reply::text);
            return status != fields.end() && std::next(status)->text == "ok";
        },
        60s));
    config.cache.sentinels = {sentinel->endpoint()};
    start();
    const std::string token = log_in();
    // The replica has all that the master was told before this, the session too.
    ASSERT_TRUE(link.command({"SET", "after", "login"}, within(5s)));
    ASSERT_EQ(link.command({"WAIT", "1", "30000"}, within(40s))->integer, 1);
    master->kill();
    EXPECT_TRUE(await([&] { return ask("POST", "/api/debates", R"({"question":"?"})", token).status == 200; }, 60s));
}

TEST_F(ApiTest, EachReleaseIsHealthyAndWritesOnTheVersionsThatItLivesWithAndOnNoOther) {
    const Moment limit = SystemClock{}.now() + 60s;
    for (const int version : {1, 2, 3}) {
        ASSERT_TRUE(move_schema(stores->primary->conninfo(), version, limit));
        for (const Release& release : releases) {
            config.release = release.name;
            start();
            const bool lives = release.least <= version && version <= release.most;
            EXPECT_EQ(ask("GET", "/api/health").status, lives && release.serves ? 200 : 503)
                << release.name << " on version " << version << ": " << ask("GET", "/api/health").body;
            const std::string token = log_in();
            if (!lives) continue;
            EXPECT_EQ(ask("POST", "/api/debates", R"({"question":"?"})", token).status, 200) << release.name;
        }
    }
    ASSERT_TRUE(move_schema(stores->primary->conninfo(), 1, limit));
}

TEST_F(ApiTest, LogsAndCountsEachRequest) {
    ask("GET", "/api/debates/deb_17");
    ask("GET", "/secret/../path");
    std::ifstream file{config.log};
    const std::string lines{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_THAT(lines, HasSubstr(R"("region":"east","instance":"api-1","client":"192.0.2.1","method":"GET",)"
                                 R"("path":"/api/debates/deb_17","status":200,"ms":)"));
    const std::string page = ask("GET", "/metrics").body;
    EXPECT_THAT(page, HasSubstr(R"(aragora_http_requests_total{region="east",instance="api-1",method="GET",)"
                                R"(route="/api/debates/{id}",status="200"} 1)"));
    EXPECT_THAT(page, HasSubstr(R"(route="other",status="404"} 1)"));
    EXPECT_THAT(page, HasSubstr(R"(le="+Inf"} 1)"));
    EXPECT_THAT(page, HasSubstr("aragora_db_writable{region=\"east\",instance=\"api-1\"} 1"));
}

TEST_F(ApiTest, SpeaksHttpAndWebSocketOverTheNetwork) {
    Listener listener = Listener::listen({"127.0.0.1", 0}).value();
    const std::string at = to_string(listener.endpoint());
    const std::jthread server{[&](const std::stop_token& stop) { serve(listener, *api, stop); }};

    auto connection = HttpConnection::to("http://" + at).value();
    for (int i = 1; i <= 3; ++i) {
        const HttpRequest request{.method = "POST",
                                  .target = "/api/heartbeat",
                                  .headers = {{"Authorization", "Bearer service"}},
                                  .body = dump(Json{{"stream", "network"}, {"seq", i}})};
        const auto response = connection.request(request, within(5s));
        ASSERT_TRUE(response) << response.error().message;
        EXPECT_EQ(response->status, 200);
        EXPECT_TRUE(connection.is_open());
    }
    EXPECT_EQ(connection.request({.target = "/api/heartbeat?stream=network&x=%41"}, within(5s))->body,
              R"({"stream":"network","ranges":[[1,3]]})");

    auto socket = WebSocket::open("ws://" + at + "/ws", within(5s)).value();
    EXPECT_THAT(socket.read_message(within(5s)).value(), HasSubstr("connection_info"));
    EXPECT_THAT(socket.read_message(within(5s)).value(), HasSubstr("loop_list"));
    ASSERT_TRUE(socket.send(R"({"type":"ping","ts":5})", within(5s)));
    EXPECT_THAT(socket.read_message(within(5s)).value(), HasSubstr(R"("client_ts":5)"));
    EXPECT_TRUE(socket.ping(within(5s)));
    EXPECT_TRUE(socket.close(within(5s)));

    auto rude = Stream::connect(listener.endpoint(), within(5s)).value();
    ASSERT_TRUE(rude.write_all("GET / HTTP/1.1\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n", within(5s)));
    EXPECT_TRUE(rude.read_to_end(within(5s)).value_or("").empty());
}

}  // namespace
}  // namespace kedge::lab
