// What a look before a run says of it.
#include "plan/standing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

using testing::ElementsAre;

BoundStep step(std::string id, StepKind kind, std::vector<std::string> needs = {}) {
    BoundStep made;
    made.id = std::move(id);
    made.kind = kind;
    made.needs = std::move(needs);
    return made;
}

TEST(Standings, AreLaterBehindWhateverActs) {
    BoundPlan plan;
    plan.steps = {step("seen-later-still", StepKind::check, {"seen-later"}), step("ready", StepKind::check),
                  step("act", StepKind::act, {"ready"}), step("seen-later", StepKind::check, {"act"}),
                  step("beside", StepKind::check, {"ready"})};
    EXPECT_THAT(standings(plan),
                ElementsAre(Standing::later, Standing::now, Standing::now, Standing::later, Standing::now));
    plan.steps[2].skipped_because = "mode is not forced";
    EXPECT_THAT(standings(plan), ElementsAre(Standing::now, Standing::now, Standing::now, Standing::now, Standing::now))
        << "what is left out brings nothing about";
}

TEST(Verdicts, OfAConditionAreWhatIsSeenUnlessItIsStillToBeMade) {
    const BoundStep check = step("c", StepKind::check);
    for (const Truth seen : {Truth::yes, Truth::no, Truth::unknown})
        EXPECT_EQ(verdict(check, Standing::now, {.done = seen}), seen);
    EXPECT_EQ(verdict(check, Standing::later, {.done = Truth::no}), Truth::yes);
    EXPECT_EQ(verdict(check, Standing::later, {.done = Truth::unknown}), Truth::unknown) << "nobody looked";
    BoundStep waited_for = check;
    waited_for.if_failed = IfFailed::ignore;
    EXPECT_EQ(verdict(waited_for, Standing::now, {.done = Truth::no}), Truth::yes) << "it stops no run";
    EXPECT_EQ(verdict(waited_for, Standing::now, {.done = Truth::unknown}), Truth::unknown);
}

TEST(Verdicts, OfAnEffectAreWhetherItMayBeApplied) {
    const BoundStep act = step("a", StepKind::act);
    EXPECT_EQ(verdict(act, Standing::now, {.done = Truth::yes, .allowed = Truth::unknown}), Truth::yes);
    EXPECT_EQ(verdict(act, Standing::now, {.done = Truth::no, .allowed = Truth::no}), Truth::no);
    EXPECT_EQ(verdict(act, Standing::now, {.done = Truth::unknown, .allowed = Truth::unknown}), Truth::unknown);
    EXPECT_EQ(verdict(act, Standing::later, {.done = Truth::no, .allowed = Truth::no}), Truth::yes);
    EXPECT_EQ(verdict(act, Standing::later, {.done = Truth::unknown, .allowed = Truth::unknown}), Truth::unknown);
}

}  // namespace
}  // namespace kedge
