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

}  // namespace
}  // namespace kedge::sim
