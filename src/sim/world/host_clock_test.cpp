#include "sim/world/host_clock.h"

#include <gtest/gtest.h>

#include "sim/world/ground.h"

namespace kedge::sim {
namespace {

TEST(HostClock, OfASoundMachineIsTheWorldsTime) {
    Ground ground({"east", "west"}, 1);
    const HostClock clock(ground.schedule(), {});
    ground.schedule().run_until(ground.now() + 1h);
    EXPECT_EQ(clock.now(), ground.now());
    EXPECT_EQ(clock.when(clock.now() + 3s), ground.now() + 3s);
}

TEST(HostClock, KeepsTheErrorThatItWasSetToAndDrifts) {
    Ground ground({"east", "west"}, 1);
    const Moment begun = ground.now();
    const HostClock clock(ground.schedule(), {.ahead = -10min, .drift_per_million = 500});
    EXPECT_EQ(clock.now(), begun - 10min);
    ground.schedule().run_until(begun + 1000s);
    EXPECT_EQ(clock.now(), begun + 1000s - 10min + 500ms);
}

// Whoever sleeps until a moment of their clock must find it come when they wake, or they would never get on.
TEST(HostClock, HasReachedAMomentWhenTheWorldHasReachedItsTime) {
    for (const std::int64_t drift : {-500, -1, 0, 1, 500})
        for (std::int64_t span = 0; span < 2000; span += 7) {
            Ground ground({"east", "west"}, 1);
            const HostClock clock(ground.schedule(), {.ahead = 2min, .drift_per_million = drift});
            const Moment due = clock.now() + std::chrono::milliseconds{span};
            ground.schedule().run_until(clock.when(due));
            EXPECT_GE(clock.now(), due) << drift << " " << span;
            EXPECT_LT(clock.now(), due + 10ms);
        }
}

}  // namespace
}  // namespace kedge::sim
