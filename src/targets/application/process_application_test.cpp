// The driver against stubs that answer as an application would, and as one would not. The lab application's
// tests run the same contract against the real one.
#include "targets/application/process_application.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <mutex>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/http_stub.h"
#include "targets/application_contract.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Moment soon() {
    return SystemClock{}.now() + 5s;
}

HttpResponse json(int status, const Json& body) {
    return {.status = status, .body = dump(body)};
}

// An instance as small as one can be.
class StubInstance {
public:
    StubInstance()
        : stub_(std::make_unique<HttpStub>([this](const HttpRequest& request) { return answer(request); })) {}
    std::string url() const { return url_; }
    void lose() { stub_.reset(); }
    void silence() { stub_->fall_silent(); }

    // What it says of itself; a test may change it before it asks.
    HttpResponse health = json(200, {{"status", "healthy"}, {"version", "1.2.3"}});
    HttpResponse ready = json(200, {{"status", "ready"}});
    int writes_running = 0;
    std::string release_file;

private:
    HttpResponse answer(const HttpRequest& request) {
        const std::lock_guard lock{mutex_};
        if (request.target == "/api/health") return with_release();
        if (request.target == "/readyz") return ready;
        if (request.target != "/admin/maintenance") return json(404, {{"error", "Not found"}});
        if (request.method == "PUT") mode_ = get_string(parse_json(request.body).value(), "mode").value_or("");
        return json(200, {{"mode", mode_}, {"writes_running", writes_running}});
    }

    // Of a program that was deployed, as the file says.
    HttpResponse with_release() const {
        const Result<std::string> deployed = read_file(release_file);
        if (!deployed) return health;
        HttpResponse answer = health;
        Json body = parse_json(health.body).value();
        body["version"] = *deployed;
        answer.body = dump(body);
        return answer;
    }

    std::mutex mutex_;
    std::string mode_ = "off";
    std::unique_ptr<HttpStub> stub_;
    std::string url_ = stub_->url();
};

Json healthy_probe() {
    return {{"exchanges",
             {{{"request", "GET /api/health"}, {"expect", {{"status", 200}, {"json", {{"/status", "healthy"}}}}}}}}};
}
Json absent_probe() {
    return {{"exchanges", {{{"request", "GET /nothing"}, {"expect", {{"status", 200}}}}}}};
}

class StubWorld final : public ApplicationWorld {
public:
    StubWorld() {
        ProcessApplicationSettings settings{.name = "api", .public_url = first.url()};
        settings.probes = {{"healthy", healthy_probe()}, {"absent", absent_probe()}};
        settings.sites["east"].instances = {{"a", first.url()}, {"b", second.url()}};
        // A release is a file of its name; the one that is deployed is what the instances show.
        check(write_file_atomically(releases_ + "2.0.0", "2.0.0").has_value(), "a release can be made");
        first.release_file = second.release_file = releases_ + "runs";
        settings.sites["east"].deploy = {"cp", releases_ + "${release}", releases_ + "runs"};
        application_ = ProcessApplication::create(settings).value();
    }
    ~StubWorld() override {
        for (const char* name : {"2.0.0", "runs"}) ::unlink((releases_ + name).c_str());
    }
    Application& application() override { return *application_; }
    std::string region() const override { return "east"; }
    Moment after(Span span) const override { return SystemClock{}.now() + span; }
    std::string sound_probe() const override { return "healthy"; }
    std::string failing_probe() const override { return "absent"; }
    void lose_one() override { second.lose(); }
    void silence_one() override { second.silence(); }
    std::optional<std::string> other_release() const override { return "2.0.0"; }

    StubInstance first, second;

private:
    const std::string releases_ = testing::TempDir() + "kedge-releases-" + std::to_string(getpid()) + "-";
    std::unique_ptr<ProcessApplication> application_;
};

INSTANTIATE_TEST_SUITE_P(Stub, ApplicationContract,
                         testing::Values([] { return std::unique_ptr<ApplicationWorld>(new StubWorld); }));

InstanceLook first_of(StubWorld& world) {
    return world.application().look("east", Depth::health, soon()).value().instances.at(0);
}

TEST(ProcessApplication, DegradedIsNotHealthyAndMayBeReady) {
    StubWorld world;
    world.first.health = json(503, {{"status", "degraded"}, {"reason", "database: gone"}});
    const InstanceLook look = first_of(world);
    EXPECT_EQ(look.healthy, Truth::no);
    EXPECT_EQ(look.ready, Truth::yes);
    EXPECT_THAT(look.says, HasSubstr("database: gone"));
}

TEST(ProcessApplication, AnAnswerThatIsNotTheApplicationsIsUnknown) {
    for (const HttpResponse& answer :
         {HttpResponse{.status = 200, .body = "<html>Please log in</html>"}, json(200, Json::array()),
          json(429, {{"error", "Rate limit exceeded"}}), HttpResponse{.status = 503, .body = "no server available"},
          HttpResponse{.status = 302}}) {
        StubWorld world;
        world.first.health = world.first.ready = answer;
        const InstanceLook look = first_of(world);
        EXPECT_EQ(look.healthy, Truth::unknown) << answer.body;
        EXPECT_EQ(look.ready, Truth::unknown) << answer.body;
        EXPECT_EQ(look.reachable, Truth::yes);
    }
}

TEST(ProcessApplication, ReportsTheRelease) {
    StubWorld world;
    EXPECT_EQ(first_of(world).release, "1.2.3");
}

TEST(ProcessApplication, WritesStillUnderWayAreNotHeld) {
    StubWorld world;
    world.second.writes_running = 2;
    const auto done = world.application().set_writes("east", Writes::held, soon());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::outcome_unknown);
    EXPECT_THAT(done.error().message, HasSubstr("2 writes"));
    EXPECT_TRUE(world.application().set_writes("east", Writes::accepted, soon()));
}

TEST(ProcessApplication, WhereNothingCanHaveChangedItSaysSo) {
    StubWorld world;
    world.first.lose();
    world.second.lose();
    const auto done = world.application().set_writes("east", Writes::held, soon());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::unavailable);
}

TEST(ProcessApplication, ScalesByTheProgramThatTheEstateNames) {
    StubWorld world;
    EXPECT_EQ(world.application().scale("east", 4, soon()).error().fault, Fault::refused);
    const std::string path = testing::TempDir() + "kedge-scale";
    ProcessApplicationSettings settings{.name = "api", .public_url = world.first.url()};
    settings.sites["east"] = {
        {{"a", world.first.url()}}, {"truncate", "-s", "${instances}", path}, {"stat", "-c", "%s", path}};
    const auto application = ProcessApplication::create(settings).value();
    ASSERT_TRUE(write_file_atomically(path, ""));
    ASSERT_TRUE(application->scale("east", 4, soon()));
    EXPECT_EQ(application->look("east", Depth::readiness, soon()).value().wanted, 4);
    std::remove(path.c_str());
    EXPECT_EQ(application->look("east", Depth::readiness, soon()).value().wanted, std::nullopt);
}

TEST(ProcessApplication, RefusesSettingsThatCannotWork) {
    const auto refused = [](auto change) {
        ProcessApplicationSettings settings{.name = "api", .public_url = "http://127.0.0.1:1"};
        settings.sites["east"].instances = {{"a", "http://127.0.0.1:1"}};
        change(settings);
        const auto application = ProcessApplication::create(std::move(settings));
        return application ? std::string("accepted") : application.error().message;
    };
    EXPECT_EQ(refused([](auto&) {}), "accepted");
    EXPECT_THAT(refused([](auto& settings) { settings.public_url = "nowhere"; }), HasSubstr("public-url"));
    EXPECT_THAT(refused([](auto& settings) { settings.sites["east"].instances[0].url = "x"; }), HasSubstr("a:"));
    EXPECT_THAT(refused([](auto& settings) { settings.sites["west"] = {}; }), HasSubstr("west"));
    EXPECT_THAT(refused([](auto& settings) { settings.probes["empty"] = Json::object(); }), HasSubstr("empty"));
}

}  // namespace
}  // namespace kedge
