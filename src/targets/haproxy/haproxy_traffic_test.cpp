// The driver of HAProxy against a HAProxy of its own, with a stub for each region behind it.
#include "targets/haproxy/haproxy_traffic.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "os/http_stub.h"
#include "os/process.h"
#include "targets/traffic_contract.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// What stands in a region. Whoever asks for /stay gets no answer until it goes.
class Region {
public:
    explicit Region(std::string name) : name_(std::move(name)) {}
    ~Region() {
        {
            const std::lock_guard lock(mutex_);
            going_ = true;
        }
        goes_.notify_all();
    }

    Endpoint endpoint() const { return stub_.endpoint(); }
    std::atomic<bool> lost = false;

private:
    HttpResponse answer(const HttpRequest& request) {
        if (lost) return {.status = 503};
        if (request.target == "/stay") {
            std::unique_lock lock(mutex_);
            goes_.wait(lock, [this] { return going_; });
        }
        return {.status = 200, .body = name_};
    }

    std::string name_;
    std::mutex mutex_;
    std::condition_variable goes_;
    bool going_ = false;  // guarded by mutex_
    HttpStub stub_{[this](const HttpRequest& request) { return answer(request); }};
};

class HaproxyWorld final : public TrafficWorld {
public:
    HaproxyWorld() {
        std::string pattern = (fs::temp_directory_path() / "kedge-haproxy-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        const std::string configuration = directory_ + "/haproxy.cfg";
        std::ofstream{configuration} << this->configuration();
        haproxy_.emplace(
            Child::spawn({"/usr/sbin/haproxy", "-db", "-f", configuration},
                         {.errors = Redirect::append_to(directory_ + "/log"), .keep_open = {listener_.fd()}})
                .value());
        HaproxySettings settings{.name = "api",
                                 .socket = socket(),
                                 .backend = "api",
                                 .servers = {{"east", {"east-a"}}, {"west", {"west-a"}}}};
        traffic_ = HaproxyTraffic::create(std::move(settings)).value();
        EXPECT_TRUE(await([&] { return request() == "east"; }));
        // Before its first check has come back it knows nothing.
        EXPECT_TRUE(await([&] {
            const Result<TrafficLook> seen = traffic_->look(now() + 1s);
            return seen && seen->at("east").healthy == Truth::yes && seen->at("west").healthy == Truth::yes;
        }));
    }
    ~HaproxyWorld() override {
        haproxy_.reset();
        fs::remove_all(directory_);
    }

    Traffic& traffic() override { return *traffic_; }
    Moment now() const override { return SystemClock{}.now(); }
    bool await(const std::function<bool()>& holds) override {
        for (const Moment end = now() + 30s; now() < end; wait_out(within(10ms)))
            if (holds()) return true;
        return false;
    }
    std::string request() override {
        const Result<HttpResponse> answer = http_request({.target = url("/")}, within(10s));
        return answer && answer->status == 200 ? answer->body : "";
    }
    void stay_connected() override {
        staying_.push_back(Stream::connect(listener_.endpoint(), within(10s)).value());
        EXPECT_TRUE(staying_.back().write_all("GET /stay HTTP/1.1\r\nHost: api\r\n\r\n", within(10s)));
    }
    void lose(const std::string& region) override { (region == "east" ? east_ : west_).lost = true; }
    void bring_back(const std::string& region) override { (region == "east" ? east_ : west_).lost = false; }
    void freeze() override { haproxy_->signal_group(SIGSTOP); }
    void thaw() override { haproxy_->signal_group(SIGCONT); }

private:
    std::string socket() const { return directory_ + "/socket"; }
    std::string url(std::string_view path) const {
        return fmt::format("http://{}{}", to_string(listener_.endpoint()), path);
    }
    // As the lab's, but for one server a region and checks that are closer together.
    std::string configuration() const {
        return fmt::format(R"(global
    maxconn 100
    nbthread 1
    stats socket {} mode 600 level admin

defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 500ms

frontend api
    bind fd@{}
    default_backend api

backend api
    balance roundrobin
    option httpchk
    http-check send meth GET uri /readyz
    http-check expect status 200
    default-server check inter 100ms fall 2 rise 1 on-marked-down shutdown-sessions
    server east-a {} weight 200
    server west-a {} weight 0
)",
                           socket(), listener_.fd(), to_string(east_.endpoint()), to_string(west_.endpoint()));
    }

    Region east_{"east"}, west_{"west"};
    const Listener listener_ = Listener::listen({"127.0.0.1", 0}).value();  // HAProxy's; here only its address counts
    std::string directory_;
    std::optional<Child> haproxy_;
    std::unique_ptr<HaproxyTraffic> traffic_;
    std::vector<Stream> staying_;
};

std::unique_ptr<TrafficWorld> make_world() {
    return std::make_unique<HaproxyWorld>();
}

INSTANTIATE_TEST_SUITE_P(Haproxy, TrafficContract, testing::Values(&make_world));

// Whoever was told "nobody knows" must look again once it answers: the order lay in its socket.
TEST(HaproxyTraffic, AnOrderToAFrozenHaproxyIsCarriedOutWhenItWakes) {
    HaproxyWorld world;
    world.freeze();
    const Result<void> shifted = world.traffic().shift({{"east", 0}, {"west", 100}}, world.now() + 300ms);
    ASSERT_FALSE(shifted);
    EXPECT_EQ(shifted.error().fault, Fault::outcome_unknown) << shifted.error().message;
    world.thaw();
    EXPECT_TRUE(world.await([&] {
        const Result<TrafficLook> later = world.traffic().look(world.now() + 5s);
        return later && later->at("west").weight == 100 && later->at("east").open == Truth::no;
    }));
}

TEST(HaproxyTraffic, TakesNoNameThatCouldBeMoreThanAName) {
    const auto refused = [](const std::string& backend, const std::string& server) {
        return HaproxyTraffic::create(
                   {.name = "api", .socket = "/s", .backend = backend, .servers = {{"east", {server}}}})
            .error()
            .fault;
    };
    EXPECT_EQ(refused("api;shutdown", "a"), Fault::invalid_input);
    EXPECT_EQ(refused("api", "a b"), Fault::invalid_input);
    EXPECT_EQ(refused("api", ""), Fault::invalid_input);
}

}  // namespace
}  // namespace kedge
