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

}  // namespace
}  // namespace kedge::sim
