// What the simulator found, each with the seed that shows it (docs/track-record.md).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/shipped_plans_for_tests.h"
#include "sim/trial.h"

namespace kedge::sim {
namespace {

TEST(Found, ARejoinThatFailedIsNotWaitedForUntilItsDeadline) {
    const ShippedUse use{"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}};
    const Programme programme = programme_of(use);
    Disaster disaster(programme.assignment, 14);
    disaster.set_up(Loss::database);
    // The new primary is cut off from the old one while that is rewound.
    disaster.controller().on_entry = [&](const Entry& entry, const RunState&) {
        if (get_string(entry.body, "step") == "rejoin" && get_bool(entry.body, "intent")) disaster.world().part(0, 1);
    };
    disaster.people().habits.minds_the_run = false;
    ASSERT_TRUE(disaster.start());
    EXPECT_FALSE(disaster.play(1min)) << "nobody takes over what is owed";
    const RunState& run = *disaster.controller().state();
    EXPECT_EQ(run.record(*run.find("rejoin")).state, StepState::failed);
    EXPECT_EQ(run.phase(), RunPhase::holding) << "a person is needed, and is told at once";
    EXPECT_NE(run.phase_says().find("connection"), std::string::npos) << run.phase_says();
}

// It took what was observed after its own now for fresh, and bounded the loss by a span that had not begun.
TEST(Found, AClockThatIsBehindBoundsNoLoss) {
    const Programme programme = programme_of({"regional-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}}});
    for (const Span ahead : {-10min, 10min}) {
        Disaster disaster(programme.assignment, 34);
        disaster.set_up(Loss::killed);
        disaster.controller().clock_error.ahead = ahead;
        disaster.people().habits.takes_risks = false;
        ASSERT_TRUE(disaster.start());
        disaster.play(5min);
        const RunState& run = *disaster.controller().state();
        EXPECT_NE(run.record(*run.find("loss")).state, StepState::succeeded);
        EXPECT_EQ(disaster.world().databases.front()->promotions(), 0) << "nobody took the risk";
    }
}

// Between the look that allows to lower a fence and the order, somebody promoted the standby by hand; the fence came
// down and was said to have been taken back, with two servers free to write.
TEST(Found, AFenceThatComesDownBesideAPromotionByHandIsNotSaidToBeTakenBack) {
    const Programme programme = programme_of({"regional-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}}});
    int came_down = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Disaster disaster(programme.assignment, seed);
        disaster.set_up(Loss::killed);
        disaster.people().habits.minds_the_run = false;
        DatabaseModel& database = *disaster.world().databases.front();
        database.pace().open_least = database.pace().open_most = 40ms;
        const DatabaseModel::Server& old = database.at(0);
        DatabaseModel::Server& standby = database.at(1);
        disaster.controller().on_entry = [&](const Entry& entry, const RunState& run) {
            if (get_string(entry.body, "step") != "fence") return;
            const StepState fence = run.record(*run.find("fence")).state;
            if (fence == StepState::succeeded) disaster.people().ask_of_run("cancel");
            if (fence == StepState::compensating)
                disaster.world().ground.schedule().after(5ms * seed, [&] { database.promote(standby); });
            if (fence != StepState::compensated) return;
            EXPECT_TRUE(!standby.opened_at || standby.opened_at > standby.looked_at) << "it was seen to be primary";
        };
        ASSERT_TRUE(disaster.start());
        disaster.play(2min);
        const RunState& run = *disaster.controller().state();
        if (run.record(*run.find("fence")).state != StepState::compensation_failed || old.fenced == Truth::yes)
            continue;
        ++came_down;
        EXPECT_NE(run.record(*run.find("fence")).says.find("raise its fence again"), std::string::npos);
    }
    EXPECT_GT(came_down, 0) << "in no disaster was the promotion made between the look and the order";
}

// The standby was promoted by hand while the old primary still wrote; the planned switch took that for its own
// promotion, and rewound the old primary with what only that held.
TEST(Found, APlannedSwitchDoesNotTakeAPromotionByHandForItsOwn) {
    const Programme programme =
        programme_of({"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}});
    Disaster disaster(programme.assignment, 5076);
    disaster.set_up(Loss::database);
    DatabaseModel& database = *disaster.world().databases.front();
    disaster.controller().on_entry = [&](const Entry& entry, const RunState& run) {
        if (get_string(entry.body, "step") == "shut-down" &&
            run.record(*run.find("shut-down")).state == StepState::running)
            disaster.world().ground.schedule().after(40ms, [&] { database.promote(database.at(1)); });
    };
    disaster.people().habits.minds_the_run = false;
    ASSERT_TRUE(disaster.start());
    disaster.play(5min);
    const RunState& run = *disaster.controller().state();
    ASSERT_EQ(database.promotions(), 1);
    ASSERT_EQ(run.record(*run.find("shut-down")).state, StepState::succeeded);
    EXPECT_NE(run.record(*run.find("promote")).state, StepState::succeeded);
    EXPECT_NE(run.record(*run.find("rejoin")).state, StepState::succeeded);
}

// Somebody started the old primary after it had stopped and before its fence was up; the switch went by where it had
// stopped.
TEST(Found, APlannedSwitchSeesThatTheOldPrimaryWasStartedAgain) {
    const Programme programme =
        programme_of({"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}});
    Disaster disaster(programme.assignment, 1698);
    disaster.set_up(Loss::database);
    DatabaseModel& database = *disaster.world().databases.front();
    bool started = false;
    disaster.controller().on_entry = [&](const Entry& entry, const RunState& run) {
        if (get_string(entry.body, "step") != "shut-down" || started) return;
        started = run.record(*run.find("shut-down")).state == StepState::succeeded;
        if (started) database.start(database.at(0));
    };
    disaster.people().habits.minds_the_run = false;
    ASSERT_TRUE(disaster.start());
    disaster.play(5min);
    ASSERT_TRUE(started);
    const RunState& run = *disaster.controller().state();
    EXPECT_EQ(run.record(*run.find("promote")).state, StepState::failed);
    EXPECT_NE(run.record(*run.find("promote")).says.find("was started since"), std::string::npos);
    EXPECT_EQ(database.promotions(), 0);
}

// People took the risk of a fence that nothing proved; the old primary wrote on after the loss had been bounded.
TEST(Found, AnOldPrimaryThatMayWriteOnBoundsNoLoss) {
    const Programme programme = programme_of({"regional-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}}});
    Disaster disaster(programme.assignment, 7135);
    disaster.set_up(Loss::partitioned);
    World& world = disaster.world();
    world.ground.set_health(world.databases.front()->at(disaster.home()).fence_control, Health::frozen);
    std::string said;
    disaster.controller().on_entry = [&](const Entry& entry, const RunState& run) {
        if (get_string(entry.body, "step") != "loss") return;
        const StepRecord& loss = run.record(*run.find("loss"));
        EXPECT_NE(loss.state, StepState::succeeded);
        if (loss.state == StepState::waiting) said = loss.says;
    };
    ASSERT_TRUE(disaster.start());
    disaster.play(5min);
    const RunState& run = *disaster.controller().state();
    ASSERT_EQ(run.record(*run.find("fence")).state, StepState::skipped) << "nobody took its risk";
    EXPECT_NE(said.find("so far, and all that aragora-postgres@us-east-1 takes from now on"), std::string::npos)
        << said;
}

// A controller that was taken for dead came back to the answer of a look, and gave an order; another had ended the run.
TEST(Found, AControllerThatComesBackGivesNoOrder) {
    const Programme programme =
        programme_of({"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}});
    int came_back = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Disaster disaster(programme.assignment, seed);
        disaster.set_up(Loss::database);
        disaster.people().habits.minds_the_run = false;
        Ground& ground = disaster.world().ground;
        bool stalled = false;
        disaster.controller().on_entry = [&](const Entry& entry, const RunState& run) {
            if (get_string(entry.body, "step") != "hold-to") return;
            const StepState hold = run.record(*run.find("hold-to")).state;
            if (hold == StepState::succeeded) disaster.people().ask_of_run("cancel");
            if (hold != StepState::compensating || stalled) return;
            stalled = true;
            ground.schedule().after(4ms * seed, [&] { disaster.controller().stall(60s); });
        };
        ASSERT_TRUE(disaster.start());
        ASSERT_TRUE(disaster.play(50s));
        const Moment end = ground.now();
        ground.schedule().run_until(end + 2min);
        for (const Effect& effect : ground.effects())
            EXPECT_FALSE(effect.errand && effect.at > end) << to_string(effect.kind) << " with seed " << seed;
        if (stalled) ++came_back;
    }
    EXPECT_GT(came_back, 0);
}

const ShippedUse redis_recovery{"redis-recovery",
                                {{"region", "us-east-1"}, {"replica", "us-west-2"}, {"name", "copy"}}};

// Calls `then` once, when an entry says that the step is there.
void when(Disaster& disaster, const std::string& step, StepState state, const std::function<void(World&)>& then) {
    disaster.controller().on_entry = [&disaster, step, state, then, done = false](const Entry& entry,
                                                                                  const RunState& run) mutable {
        if (done || get_string(entry.body, "step") != step || run.record(*run.find(step)).state != state) return;
        done = true;
        then(disaster.world());
    };
}
std::ptrdiff_t take_overs(Disaster& disaster) {
    return std::ranges::count(disaster.world().ground.effects(), EffectKind::cache_take_over, &Effect::kind);
}

// It was told to wait an hour and nobody had noted how long it waited before: it went on waiting for ever.
TEST(Found, ASentinelThatWasNotSeenBeforeItWasToldWatchesAsBefore) {
    const Programme programme = programme_of(redis_recovery);
    Disaster disaster(programme.assignment, 267);
    disaster.set_up(Loss::flushed);
    Part& silent = disaster.world().caches.front()->sentinels().front().part;
    disaster.controller().on_entry = [&, entries = 0](const Entry& entry, const RunState&) mutable {
        if (get_string(entry.body, "step") == "hold-sentinels")
            silent.health = ++entries == 1 ? Health::frozen : Health::up;
    };
    ASSERT_TRUE(disaster.start());
    disaster.play(10min);
    ASSERT_TRUE(disaster.controller().state()->result());
    EXPECT_EQ(*disaster.controller().state()->result(), RunResult::succeeded);
    for (const CacheModel::Sentinel& sentinel : disaster.world().caches.front()->sentinels())
        EXPECT_EQ(sentinel.down_after, disaster.world().caches.front()->pace().down_after) << sentinel.part.name;
}

// The master copied the recovered data set and was pointed elsewhere; for an hour the run waited that all is loaded,
// the application in maintenance mode and nobody told.
TEST(Found, ACopyThatNobodyMakesAnyMoreIsNotWaitedForUntilItsDeadline) {
    const Programme programme = programme_of(redis_recovery);
    Disaster disaster(programme.assignment, 334);
    disaster.set_up(Loss::flushed);
    disaster.people().habits.minds_the_run = false;
    when(disaster, "take-over", StepState::succeeded, [](World& world) {
        CacheModel& cache = *world.caches.front();
        world.recoveries->of_caches().stop();
        cache.fail_over(cache.sentinels()[1], 1);
    });
    ASSERT_TRUE(disaster.start());
    disaster.play(5min);
    const RunState& run = *disaster.controller().state();
    EXPECT_EQ(run.record(*run.find("loaded")).state, StepState::failed);
    EXPECT_EQ(run.phase(), RunPhase::holding) << "a person is needed, and is told at once";
}

// It was master no longer for the Sentinels and did not know yet: only behind the point of no return it was seen.
TEST(Found, AMasterThatTheSentinelsDoNotNameIsNotReplaced) {
    const Programme programme = programme_of(redis_recovery);
    Disaster disaster(programme.assignment, 100);
    disaster.set_up(Loss::flushed);
    disaster.people().habits.minds_the_run = false;
    when(disaster, "keep", StepState::succeeded, [](World& world) {
        CacheModel& cache = *world.caches.front();
        cache.lead(cache.at(1));
        for (CacheModel::Sentinel& sentinel : cache.sentinels()) sentinel.master = 1;
    });
    ASSERT_TRUE(disaster.start());
    disaster.play(10min);
    const RunState& run = *disaster.controller().state();
    EXPECT_EQ(take_overs(disaster), 0);
    EXPECT_EQ(run.record(*run.find("take-over")).state, StepState::failed);
    EXPECT_EQ(run.record(*run.find("hold-sentinels")).state, StepState::compensated);
}

// What it takes after a restart is not in what was kept, and positions of two histories do not tell how much that is.
TEST(RedisTakeOver, LeavesAMasterAloneThatWasRestartedSinceItWasKept) {
    const Programme programme = programme_of(redis_recovery);
    Disaster disaster(programme.assignment, 1);
    disaster.set_up(Loss::flushed);
    disaster.people().habits.minds_the_run = false;
    when(disaster, "keep", StepState::succeeded, [](World& world) {
        Part& master = world.caches.front()->at(0).part;
        world.ground.set_health(master, Health::dead);
        world.ground.set_health(master, Health::up);
    });
    ASSERT_TRUE(disaster.start());
    disaster.play(10min);
    EXPECT_EQ(take_overs(disaster), 0);
    const RunState& run = *disaster.controller().state();
    EXPECT_NE(run.record(*run.find("take-over")).says.find("restarted or failed over"), std::string::npos);
}

}  // namespace
}  // namespace kedge::sim
