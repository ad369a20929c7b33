// What a plan must not be carried out on: each adversity is made real in the lab, and `kedge` must say what is wrong
// and why, end with its documented code, and leave everything as it was.
//
// The tests share one lab and run in their order: each leaves it healed, but for the last ones, which make a new
// primary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>

#include "lab/observe.h"
#include "lab_world.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* east = "postgres-us-east-1";
constexpr const char* west = "postgres-us-west-2";

const Arguments planned = {"database-failover", "-i", "from=us-east-1", "-i", "to=us-west-2", "-i", "mode=planned"};
const Arguments cache = {"redis-failover", "-i", "from=us-east-1", "-i", "to=us-west-2", "-i", "mode=planned"};
const Arguments shift = {"traffic-shift", "-i", "from=us-east-1", "-i", "to=us-west-2", "-i", "share=50"};

Arguments joined(Arguments words, const Arguments& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

class Withstand : public testing::Test {
protected:
    static void SetUpTestSuite() {
        world_ = std::make_unique<LabWorld>();
        if (world_->is_up()) observer_ = world_->start_kedge({"watch"});
    }
    static void TearDownTestSuite() {
        if (observer_) observer_->kill_and_reap();
        world_.reset();
    }
    void SetUp() override { ASSERT_TRUE(world_->is_up()) << world_->trouble(); }

    static void make(const Arguments& fault) {
        const RunOutput output = world_->tell_lab(joined({"break"}, fault));
        ASSERT_TRUE(output.exit.ok()) << output.err;
    }
    static void heal(const Arguments& fault) {
        const RunOutput output = world_->tell_lab(joined({"heal"}, fault));
        ASSERT_TRUE(output.exit.ok()) << output.err;
    }
    // Whether `kedge check` comes to say so; it may take a moment until a fault shows.
    static void await_check(const Arguments& plan, int code, const std::string& says) {
        RunOutput output;
        const Result<void> said = wait_for("the check to say: " + says, kedge::within(40s), [&]() -> Result<bool> {
            output = world_->kedge(joined({"check"}, plan));
            return output.exit.code == code && (output.out + output.err).find(says) != std::string::npos;
        });
        EXPECT_TRUE(said) << output.exit.code << "\n" << output.out << output.err;
    }
    // Who is what, where: what no refused run may change.
    static std::string world_as_it_is() {
        std::string all = "weights " + world_->weights();
        for (const char* server : {east, west, "redis-us-east-1", "redis-us-west-2"})
            all += fmt::format(", {} {}", server, world_->role(server));
        for (const char* server : {east, west})
            if (world_->role(server) == "primary") all += fmt::format(", timeline {}", world_->timeline(server));
        return all;
    }
    // Begins the run although the check says no: it gets nowhere, says why, and can be called off with nothing changed.
    static void expect_run_gets_nowhere(const Arguments& plan, const std::string& confirm, const std::string& says) {
        const std::string before = world_as_it_is();
        const RunOutput begun = world_->kedge(
            joined({"run", "start"}, joined(plan, {"--confirm", confirm, "--play-people", "--timeout", "4s"})));
        EXPECT_THAT(begun.exit.code, AnyOf(7, 9, 12)) << begun.err;
        const RunId id = world_->runs().back();
        if (begun.exit.code == 12) {  // it still tries, and would until its deadline
            EXPECT_EQ(world_->kedge({"run", "cancel", id, "--play", "rahel", "--timeout", "100ms"}).exit.code, 12);
            const RunOutput cancelled = world_->kedge({"run", "resume", id, "--play-people"});
            EXPECT_EQ(cancelled.exit.code, 9) << cancelled.err;
        }
        const RunOutput shown = world_->kedge({"run", "report", id});
        EXPECT_THAT(begun.out + begun.err + shown.out, HasSubstr(says));
        EXPECT_EQ(world_as_it_is(), before);
        const Result<LoadedRun> run = world_->load(id);
        ASSERT_TRUE(run);
        EXPECT_NE(run->state.result(), RunResult::succeeded);
        EXPECT_THAT(run->state.obligations(), IsEmpty());
    }

    static std::unique_ptr<LabWorld> world_;
    static Result<Child> observer_;
};

std::unique_ptr<LabWorld> Withstand::world_;
Result<Child> Withstand::observer_ = Error{Fault::unavailable, "not started"};

TEST_F(Withstand, ASoundLabIsReady) {
    await_check(planned, 0, "a standby that could take over");
    await_check(cache, 0, "");
}

TEST_F(Withstand, ALostStandby) {
    make({"kill", west});
    const char* const says = "connection to server";
    await_check(planned, 7, says);
    expect_run_gets_nowhere(planned, "aragora-postgres", says);
    heal({"kill", west});
    await_check(planned, 0, "");
}

TEST_F(Withstand, AStandbyThatLagsBeyondTheLimit) {
    make({"replay-lag", west, "1h"});
    const Arguments strict = joined(planned, {"-i", "max-lag=2s"});
    await_check(strict, 7, "behind");
    expect_run_gets_nowhere(strict, "aragora-postgres", "behind");
    heal({"replay-lag", west, "1h"});
    await_check(planned, 0, "");
}

TEST_F(Withstand, AStandbyWhoseReplayIsPaused) {
    make({"replay-lag", west});
    await_check(planned, 7, "its replay is paused");
    heal({"replay-lag", west});
}

TEST_F(Withstand, SentinelsWithoutAQuorum) {
    make({"kill", "sentinel-us-west-2"});
    make({"kill", "sentinel-outside"});
    await_check(cache, 7, "quorum");
    expect_run_gets_nowhere(cache, "aragora-redis", "quorum");
    heal({"kill", "sentinel-us-west-2"});
    heal({"kill", "sentinel-outside"});
    await_check(cache, 0, "");
}

TEST_F(Withstand, AnEntranceWhoseSocketIsGone) {
    const std::string socket = world_->lab().layout().haproxy_socket();
    ASSERT_EQ(rename(socket.c_str(), (socket + ".away").c_str()), 0);
    await_check(shift, 16, "haproxy.sock");
    const RunOutput begun =
        world_->kedge(joined({"run", "start"}, joined(shift, {"--confirm", "50", "--play-people", "--timeout", "4s"})));
    EXPECT_NE(begun.exit.code, 0);
    const RunId id = world_->runs().back();
    EXPECT_THAT(world_->kedge({"run", "report", id}).out, HasSubstr("haproxy.sock"));
    ASSERT_EQ(rename((socket + ".away").c_str(), socket.c_str()), 0);
    EXPECT_EQ(world_->weights(), "100/0") << "nothing was shifted";
    world_->kedge({"run", "cancel", id, "--play", "rahel", "--timeout", "100ms"});
    world_->kedge({"run", "resume", id, "--play-people"});
    EXPECT_EQ(world_->weights(), "100/0");
}

// The last two leave their marks: the primary changes, and then somebody starts the old one.
TEST_F(Withstand, AnOldPrimaryThatComesBackWritable) {
    const RunOutput moved =
        world_->kedge({"run", "start", "database-failover", "-i", "from=us-east-1", "-i", "to=us-west-2", "-i",
                       "mode=forced", "--confirm", "aragora-postgres", "--play-people"},
                      60s);
    ASSERT_EQ(moved.exit.code, 0) << moved.out << moved.err;
    ASSERT_EQ(world_->role(west), "primary");
    ASSERT_TRUE(world_->lab().supervisor().lower_fence(east, kedge::within(10s)));
    make({"old-primary-returns", east});
    const Arguments back = {"traffic-shift", "-i", "from=us-west-2", "-i", "to=us-east-1", "-i", "share=50"};
    await_check(back, 7, "accept writes");
    expect_run_gets_nowhere(back, "50", "accept writes");
    const Arguments failback = {"regional-failback", "-i", "from=us-west-2", "-i", "to=us-east-1"};
    expect_run_gets_nowhere(failback, "FAILBACK", "accept writes");
    // Whoever watches sees both, and says so by its code, too.
    if (observer_) observer_->kill_and_reap();
    const RunOutput watched = world_->kedge({"watch", "--for", "2500ms"});
    EXPECT_EQ(watched.exit.code, 15) << watched.out << watched.err;
    EXPECT_THAT(watched.out, HasSubstr("accept writes"));
    heal({"old-primary-returns", east});
}

TEST_F(Withstand, AStandbyOnAnotherTimeline) {
    if (world_->role(west) != "primary") GTEST_SKIP() << "the failover before did not come to its end";
    // The old primary is made a standby as somebody in a hurry would: not rewound, on the timeline that it had.
    const std::string data = world_->lab().layout().data(*find_place(east));
    std::ofstream(data + "/standby.signal").close();
    std::ofstream(data + "/postgresql.auto.conf", std::ios::app) << "recovery_target_timeline = 'current'\n";
    ASSERT_TRUE(world_->lab().supervisor().start(east, kedge::within(20s)));
    ASSERT_TRUE(wait_for("the standby to answer", kedge::within(20s),
                         []() -> Result<bool> { return world_->role(east) == "standby"; }));
    observer_ = world_->start_kedge({"watch"});
    const Arguments back = {"database-failover", "-i", "from=us-west-2", "-i", "to=us-east-1", "-i", "mode=planned"};
    await_check(back, 7, "stream");
    const Arguments forced = {"database-failover", "-i", "from=us-west-2", "-i", "to=us-east-1", "-i", "mode=forced"};
    await_check(forced, 7, "timeline 1, the primary was on 2");
    expect_run_gets_nowhere(forced, "aragora-postgres", "timeline 1");
    EXPECT_EQ(world_->role(west), "primary");
}

}  // namespace
}  // namespace kedge::lab
