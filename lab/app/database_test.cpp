// A database behind the lab's network, 65 ms away there and back.
#include "database.h"

#include <gtest/gtest.h>

#include "lab/relay.h"
#include "lab/relay_client.h"
#include "os/clock.h"
#include "os/wait.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

class FarDatabase : public testing::Test {
protected:
    FarDatabase() {
        // Commits take as long as on a disk that is busy.
        server->configure("commit_delay = 25000");
        server->configure("commit_siblings = 0");
        server->configure("fsync = on");
        server->start();
        server->sql("CREATE TABLE beats (at timestamptz)");
        relay = Relay::open({{.name = "server",
                              .listen = {"127.0.12.198", 0},
                              .target = {"127.0.0.1", server->port()},
                              .site = Site::west,
                              .source = "127.0.11.9"}},
                            directory.path() + "/relay.sock")
                    .value();
        network = std::jthread([this](const std::stop_token& stop) { relay->run(stop); });
    }
    std::string far_conninfo() const {
        const Endpoint& end = relay->endpoint(0);
        return with_keyword(with_keyword(server->conninfo(), "host", end.host), "port", std::to_string(end.port));
    }

    ScratchDirectory directory;
    std::unique_ptr<ScratchServer> server = ScratchServer::initialize(directory, "far");
    std::unique_ptr<Relay> relay;
    std::jthread network;
};

// Fifty writes a second, each with 300 ms, by as many threads as these have room for.
class Load {
public:
    explicit Load(Database& database) {
        for (int i = 0; i < 16; ++i)
            threads_.emplace_back([this, &database, i](const std::stop_token& stop) {
                for (Moment tick = SystemClock{}.now() + i * 20ms;
                     wait_out(Until{tick, stop}) && !stop.stop_requested();
                     tick = std::max(tick + 320ms, SystemClock{}.now())) {
                    const auto written =
                        database.write({{"INSERT INTO beats VALUES (now())", {}}}, SystemClock{}.now() + 300ms);
                    smooth_ = written ? smooth_ + 1 : 0;
                }
            });
    }
    bool runs_smoothly_by(Moment deadline) {
        smooth_ = 0;
        while (smooth_ < 30 && SystemClock{}.now() < deadline) wait_out(within(10ms));
        return smooth_ >= 30;
    }

private:
    std::atomic<int> smooth_{0};
    std::vector<std::jthread> threads_;
};

TEST_F(FarDatabase, WritesRunSmoothlyAgainAfterAStall) {
    Database database{{.servers = {{"far", far_conninfo()}}}};
    Load load(database);
    ASSERT_TRUE(load.runs_smoothly_by(SystemClock{}.now() + 30s));
    server->freeze();
    wait_out(within(700ms));
    server->thaw();
    EXPECT_TRUE(load.runs_smoothly_by(SystemClock{}.now() + 30s));
}

}  // namespace
}  // namespace kedge::lab
