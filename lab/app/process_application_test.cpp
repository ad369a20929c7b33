// The driver `process` against this application: the contract that every driver keeps, and the probes that the
// post-failover checklist declares.
#include "targets/application/process_application.h"

#include <gmock/gmock.h>

#include "api.h"
#include "os/files.h"
#include "server.h"
#include "targets/application_contract.h"
#include "test_stores.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

// One instance with a port of its own.
class RunningInstance {
public:
    explicit RunningInstance(const std::string& name) {
        const Stores& stores = shared_stores();
        config_ = {.instance = name,
                   .region = "east",
                   .database = {{{"east", stores.primary->conninfo()}, {"west", stores.standby->conninfo()}}},
                   .cache = {{stores.sentinel->endpoint()}, "group"},
                   .log = stores.directory.path() + "/" + name + ".log",
                   .release = "1.2.3",
                   .service_token = "service"};
        log_.emplace(RequestLog::open(config_.log).value());
        api_ = std::make_unique<Api>(config_, *log_);
        listener_.emplace(Listener::listen({"127.0.0.1", 0}).value());
        endpoint_ = listener_->endpoint();
        server_ = std::jthread{[this](const std::stop_token& stop) { serve(*listener_, *api_, stop); }};
        const Until limit = within(10s);
        const auto is_up = [&] {
            const auto answer = http_request({.target = url() + "/readyz"}, limit);
            return answer && answer->body.find("\"serving_writes\":true") != std::string::npos &&
                   answer->body.find("\"redis\":true") != std::string::npos;
        };
        while (!is_up() && SystemClock{}.now() < limit.deadline) wait_out(within(20ms));
    }
    std::string url() const { return "http://" + to_string(endpoint_); }
    void stop() {
        server_.request_stop();
        server_.join();
        listener_.reset();
    }

private:
    Config config_;
    std::optional<RequestLog> log_;
    std::unique_ptr<Api> api_;
    std::optional<Listener> listener_;
    Endpoint endpoint_;
    std::jthread server_;
};

Json probes() {
    return parse_json(R"({
      "health": {"exchanges": [
        {"request": "GET /api/health", "until": "10s", "expect": {"status": 200, "json": {"/status": "healthy"}}}]},
      "create": {"secrets": {"password": "env:KEDGE_TEST_PROBE_PASSWORD"}, "exchanges": [
        {"request": "POST /api/auth/login", "body": {"email": "dr-probe@aragora.example", "password": "${secret:password}"},
         "expect": {"status": 200, "json": {"/user/email": "dr-probe@aragora.example"}},
         "capture": {"token": "/tokens/access_token"}},
        {"request": "POST /api/debates", "headers": {"Authorization": "Bearer ${token}", "Idempotency-Key": "${unique}"},
         "body": {"question": "Back? ${unique}", "rounds": 1}, "expect": {"status": 200, "json": {"/success": "true"}},
         "capture": {"debate": "/debate_id"}},
        {"request": "GET /api/debates/${debate}", "expect": {"json": {"/id": "${debate}"}}}]},
      "websocket": {"websocket": {"path": "/ws", "greeting": "connection_info", "send": {"type": "ping", "ts": 1},
                                  "answer": "pong"}},
      "rate-limit": {"secrets": {"password": "env:KEDGE_TEST_PROBE_PASSWORD"}, "exchanges": [
        {"request": "POST /api/auth/login", "body": {"email": "dr-probe@aragora.example", "password": "${secret:password}"},
         "capture": {"token": "/tokens/access_token"}},
        {"request": "GET /api/debates?limit=1", "headers": {"Authorization": "Bearer ${token}"}, "times": 70,
         "some": {"status": 429, "headers": {"Retry-After": "present", "X-RateLimit-Limit": "30"}}}]},
      "wrong-login": {"exchanges": [
        {"request": "POST /api/auth/login", "body": {"email": "dr-probe@aragora.example", "password": "wrong"},
         "expect": {"status": 200}}]}
    })")
        .value();
}

class RealWorld final : public ApplicationWorld {
public:
    RealWorld() {
        setenv("KEDGE_TEST_PROBE_PASSWORD", "probe password", 1);
        setenv("KEDGE_TEST_SERVICE_TOKEN", "service", 1);
        ProcessApplicationSettings settings{
            .name = "api", .public_url = first_.url(), .admin_token = "env:KEDGE_TEST_SERVICE_TOKEN"};
        const Json declared = probes();
        for (const auto& [name, probe] : declared.items()) settings.probes[name] = probe;
        settings.sites["east"].instances = {{"a", first_.url()}, {"b", second_.url()}};
        application_ = ProcessApplication::create(settings).value();
    }
    Application& application() override { return *application_; }
    std::string region() const override { return "east"; }
    Moment after(Span span) const override { return SystemClock{}.now() + span; }
    std::string sound_probe() const override { return "create"; }
    std::string failing_probe() const override { return "wrong-login"; }
    void lose_one() override { second_.stop(); }
    void silence_one() override {
        // The port goes to a listener that accepts and never answers.
        const Endpoint at = parse_endpoint(second_.url().substr(7)).value();
        second_.stop();
        silent_.emplace(Listener::listen(at).value());
    }

private:
    RunningInstance first_{"api-1"}, second_{"api-2"};
    std::optional<Listener> silent_;
    std::unique_ptr<ProcessApplication> application_;
};

INSTANTIATE_TEST_SUITE_P(LabApplication, ApplicationContract,
                         testing::Values([] { return std::unique_ptr<ApplicationWorld>(new RealWorld); }));

TEST(ProcessApplication, TheProbesOfTheChecklistHoldAgainstTheRealApplication) {
    RealWorld world;
    for (const auto* name : {"health", "create", "websocket", "rate-limit"}) {
        const auto probe = world.application().probe(name, "east", "checklist", world.after(20s));
        ASSERT_TRUE(probe) << probe.error().message;
        EXPECT_EQ(probe->holds, Truth::yes) << probe->says;
        EXPECT_THAT(probe->says + dump(probe->evidence), testing::Not(testing::HasSubstr("probe password")));
        const auto entrance = world.application().probe(name, "", "checklist-2", world.after(20s));
        EXPECT_EQ(entrance->holds, Truth::yes) << entrance->says;
    }
}

TEST(ProcessApplication, AWrongAdminTokenChangesNothing) {
    RealWorld world;
    setenv("KEDGE_TEST_SERVICE_TOKEN", "wrong", 1);
    const auto done = world.application().set_writes("east", Writes::refused, world.after(5s));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::refused);
    EXPECT_EQ(world.application().look("east", Depth::writes, world.after(5s))->instances[0].writes, std::nullopt);
}

}  // namespace
}  // namespace kedge::lab
