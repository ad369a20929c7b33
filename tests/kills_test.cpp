// `kedge` is killed at one journal boundary after the other of the two long plans, on the real lab, and resumed: what
// has become of the servers must be what an undisturbed run makes of them, and nothing may have happened twice.
//
// The kill comes from outside, as soon as the journal shows one entry more than the chosen number. The tests share one
// lab and run in their order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "engine/events.h"
#include "kill_runs.h"
#include "lab/ground/lab_ground.h"
#include "lab/observe.h"
#include "lab_world.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAreArray;
using testing::UnorderedElementsAre;
using testing::WhenSortedBy;

constexpr std::size_t kills_wanted = 10;
constexpr std::size_t kills_max = 14;
constexpr Span run_limit = 100s;

MATCHER_P2(BeginEndWith, first, last, "") {
    return !arg.empty() && arg.front() == first && arg.back() == last;
}

std::vector<int> east_shares(const WeightWatch& weights) {
    std::vector<int> shares;
    for (const std::string& seen : weights.seen()) shares.push_back(std::stoi(seen));
    return shares;
}

class Kills : public testing::Test {
protected:
    static void SetUpTestSuite() {
        world_ = std::make_unique<LabWorld>();
        if (!world_->is_up()) return;
        observer_ = world_->start_kedge({"watch"});
        load_ = std::make_unique<LabGround>(world_->lab());
        load_trouble_ = load_->start_load();
    }
    static void TearDownTestSuite() {
        load_.reset();
        if (observer_) observer_->kill_and_reap();
        world_.reset();
    }
    void SetUp() override {
        ASSERT_TRUE(world_->is_up()) << world_->trouble();
        ASSERT_TRUE(load_trouble_) << load_trouble_.error().message;
    }

    static Killed run_with_kills(const Arguments& start, std::size_t stride) {
        return lab::run_with_kills(*world_, start, {.stride = stride, .kills_max = kills_max, .limit = run_limit});
    }

    // How often the journal says that the effect of `step` was asked for by a controller that got no answer, and what
    // came of it, is for the engine; what is told here is what the run says at its end.
    static void expect_success(const Killed& killed) {
        ASSERT_EQ(killed.trouble, "");
        EXPECT_GE(killed.boundaries.size(), kills_wanted);
        const Result<LoadedRun> run = world_->load(killed.run);
        ASSERT_TRUE(run);
        EXPECT_EQ(run->state.result(), RunResult::succeeded) << run->state.phase_says();
        for (std::size_t i = 0; i < run->state.size(); ++i) {
            const StepRecord& record = run->state.record(i);
            EXPECT_TRUE(record.state == StepState::succeeded || record.state == StepState::skipped)
                << run->state.bound(i).id << ": " << record.says;
        }
        EXPECT_TRUE(world_->kedge({"journal", "verify"}).exit.ok());
    }
    static std::vector<std::string> owed(const RunId& id) {
        std::vector<std::string> names;
        if (const Result<LoadedRun> run = world_->load(id))
            for (const OpenObligation& one : run->state.obligations()) names.push_back(one.name);
        return names;
    }
    // Each act that writes something of its own wrote it once: canaries and notices carry the step's key.
    static void expect_single_effects(const RunId& id, const char* primary) {
        EXPECT_EQ(world_->sql(primary, fmt::format("select count(*) from kedge.canary where key = '{}/canary'", id)),
                  "1");
        EXPECT_EQ(world_->sql(primary, fmt::format("select count(*) from kedge.canary where key like '{}/%'", id)),
                  "1");
        for (const char* step : {"tell-start", "tell-done"})
            EXPECT_EQ(world_->announced("incidents", id + "/" + step), 1u) << step;
        EXPECT_EQ(world_->announced("status-page", id + "/tell-customers"), 1u);
    }

    static std::unique_ptr<LabWorld> world_;
    static Result<Child> observer_;
    static std::unique_ptr<LabGround> load_;
    static Result<void> load_trouble_;
    static std::optional<Moment> fault_;
};

std::unique_ptr<LabWorld> Kills::world_;
Result<Child> Kills::observer_ = Error{Fault::unavailable, "not started"};
std::unique_ptr<LabGround> Kills::load_;
Result<void> Kills::load_trouble_;
std::optional<Moment> Kills::fault_;

TEST_F(Kills, LeaveAFailoverAsAnUndisturbedOneDoes) {
    for (const LoadStream& stream : load_->streams())
        ASSERT_TRUE(wait_for(stream.name + " to be written", kedge::within(60s), [&]() -> Result<bool> {
            const std::vector<Attempt> attempts = TRY(load_->next_attempts(stream.name, 100ms));
            return !attempts.empty() && attempts.back().acknowledged;
        }));
    ASSERT_TRUE(wait_for("the observer to see both servers", kedge::within(60s),
                         []() -> Result<bool> { return world_->is_observed(); }));
    ASSERT_EQ(world_->timeline("postgres-us-east-1"), 1);
    const Result<Moment> fault = load_->inject("region-killed", east_region);
    ASSERT_TRUE(fault) << fault.error().message;
    fault_ = *fault;
    WriterWatch writers;
    WeightWatch weights;
    const Killed killed = run_with_kills({"run", "start", "regional-failover", "-i", "from=us-east-1", "-i",
                                          "to=us-west-2", "--confirm", "FAILOVER", "--play-people"},
                                         5);
    writers.finish();
    weights.finish();

    expect_success(killed);
    EXPECT_EQ(world_->role("postgres-us-west-2"), "primary");
    EXPECT_EQ(world_->role("redis-us-west-2"), "master");
    EXPECT_EQ(world_->timeline("postgres-us-west-2"), 2) << "promoted once";
    EXPECT_THAT(weights.seen(), BeginEndWith("100/0", "0/100"));
    EXPECT_THAT(east_shares(weights), WhenSortedBy(std::greater<>(), ElementsAreArray(east_shares(weights))))
        << "shifted once";
    EXPECT_THAT(owed(killed.run), UnorderedElementsAre("fence", "redundancy")) << "what the plan says it leaves";
    expect_single_effects(killed.run, "postgres-us-west-2");
    EXPECT_THAT(writers.second_writers(), testing::IsEmpty());
    EXPECT_GT(writers.as_writer(west_region), 0u);
}

TEST_F(Kills, LeaveAFailbackAsAnUndisturbedOneDoes) {
    if (world_->timeline("postgres-us-west-2") != 2) GTEST_SKIP() << "the failover did not come to its end";
    ASSERT_TRUE(load_->heal("region-killed", east_region));
    WriterWatch writers;
    WeightWatch weights;
    const Killed killed = run_with_kills({"run", "start", "regional-failback", "-i", "from=us-west-2", "-i",
                                          "to=us-east-1", "-i", "soak=3s", "--confirm", "FAILBACK", "--play-people"},
                                         14);
    writers.finish();
    weights.finish();

    expect_success(killed);
    EXPECT_EQ(world_->role("postgres-us-east-1"), "primary");
    EXPECT_EQ(world_->role("postgres-us-west-2"), "standby");
    EXPECT_EQ(world_->role("redis-us-east-1"), "master");
    EXPECT_EQ(world_->role("redis-us-west-2"), "replica");
    EXPECT_EQ(world_->timeline("postgres-us-east-1"), 3) << "promoted once";
    EXPECT_EQ(world_->timeline("postgres-us-west-2"), 3) << "the other follows it";
    EXPECT_THAT(weights.seen(), AllOf(BeginEndWith("0/100", "100/0"), Contains("10/90")));
    EXPECT_THAT(east_shares(weights), WhenSortedBy(std::less<>(), ElementsAreArray(east_shares(weights))))
        << "each share set once";
    EXPECT_THAT(owed(killed.run), testing::IsEmpty());
    expect_single_effects(killed.run, "postgres-us-east-1");
    EXPECT_THAT(writers.second_writers(), testing::IsEmpty());
    EXPECT_GT(writers.as_writer(east_region), 0u);
    EXPECT_GT(writers.as_writer(west_region), 0u);
}

// What the clients were told is there, is there: over both runs, except what the failover announced as at risk.
TEST_F(Kills, LoseNoAcknowledgedWriteThatWasNotAnnounced) {
    const std::vector<RunId> runs = world_->runs();
    if (runs.size() != 2 || !fault_) GTEST_SKIP() << "the runs did not come to their end";
    const Result<LoadRecord> written = load_->stop_load(*fault_);
    ASSERT_TRUE(written) << written.error().message;
    const Result<LoadedRun> failover = world_->load(runs.front());
    ASSERT_TRUE(failover);
    const Json& evidence = failover->state.record(*failover->state.find("loss")).evidence;
    const std::optional<double> announced = get_number(evidence, "loss_seconds_max");
    ASSERT_TRUE(announced) << dump(evidence);
    for (const char* stream : {"postgres", "counter"}) {
        const auto loss = written->losses.find(stream);
        ASSERT_TRUE(loss != written->losses.end() && loss->second) << stream << " was not read back";
        EXPECT_GT(loss->second->acknowledged, 100) << stream;
        EXPECT_LE(seconds(loss->second->rpo.value_or(Span{0})), *announced) << stream;
    }
}

}  // namespace
}  // namespace kedge::lab
