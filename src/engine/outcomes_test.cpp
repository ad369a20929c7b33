// Effects whose outcome is not known: a lost answer, a dead controller, an answer that comes too late or twice.

#include <gtest/gtest.h>

#include "engine/stage.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using namespace stage;

class EveryRepeatable : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Outcome, EveryRepeatable, testing::Values("act", "act.idempotent", "act.keyed"));

TEST_P(EveryRepeatable, IsSeenByALookWhenOnlyTheAnswerWasLost) {
    Stage stage(plan({step("a", {.action = GetParam()})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1);
    EXPECT_EQ(stage.record("a").cause, Cause::effect_seen);
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST_P(EveryRepeatable, IsRepeatedWhenALookShowsThatItDidNotHappen) {
    for (const Fault fault : {Fault::outcome_unknown, Fault::unavailable, Fault::conflict}) {
        Stage stage(plan({step("a", {.action = GetParam()})}));
        stage.thing("a").replies = {{.fault = fault, .happens = false}};
        ASSERT_TRUE(stage.play_to_end());
        EXPECT_EQ(stage.thing("a").effects, 1);
        EXPECT_EQ(stage.record("a").attempt, 2);
        EXPECT_EQ(stage.run().result(), RunResult::succeeded);
    }
}

TEST_P(EveryRepeatable, IsNotRepeatedWhileTheRequestMayStillArrive) {
    Stage stage(plan({step("a", {.action = GetParam()})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .shows_after = 2800ms, .takes = 2s}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1) << "it showed 0.8 s after the answer was given up";
}

TEST_P(EveryRepeatable, FailsWhenNoTryIsLeft) {
    Stage stage(plan({step("a", {.action = GetParam(), .attempts = 2})}));
    stage.thing("a").replies = {{.fault = Fault::unavailable, .happens = false},
                                {.fault = Fault::unavailable, .happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").attempt, 2);
    EXPECT_TRUE(stage.said("after 2 attempts; the last ended with: ")) << "and why";
}

TEST_P(EveryRepeatable, HoldsTheRunWhileNobodyCanLook) {
    Stage stage(plan({step("a", {.action = GetParam()})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    stage.thing("a").silent = true;
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.state_of("a"), StepState::unknown);
    EXPECT_TRUE(stage.said("nobody knows whether it happened"));

    stage.thing("a").silent = false;  // what it held for is known: it goes on by itself
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(LongWork, ThatEndedWithoutItsEffectIsNotWaitedForUntilItsDeadline) {
    Stage stage(plan({step("a", {.deadline = 4h, .attempts = 1})}));
    stage.thing("a").replies = {{.shows_after = 3h}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::running) << "the target is at it";
    const Moment gave_up = stage.now();
    stage.thing("a").gave_up = true;
    ASSERT_TRUE(stage.play([&] { return stage.said("it gave up"); }));
    EXPECT_LT(stage.now() - gave_up, 1s);
    EXPECT_EQ(stage.reached(StepState::failed), std::vector<std::string>{"a"});
}

TEST(LongWork, ThatNobodyDoesAnyMoreIsNotWaitedForByACheck) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 4h})}));
    stage.thing("a").holds = [](Moment) { return Truth::no; };
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::ready);
    const Moment gave_up = stage.now();
    stage.thing("a").gave_up = true;
    ASSERT_TRUE(stage.play([&] { return stage.state_of("a") == StepState::failed; }));
    EXPECT_LT(stage.now() - gave_up, 10s);
}

TEST(LongWork, ThatNothingAllowsAnyMoreIsNotWaitedForByAStep) {
    Stage stage(plan({step("a", {.deadline = 4h})}));
    stage.thing("a").allowed = Truth::no;
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::ready);
    const Moment gave_up = stage.now();
    stage.thing("a").gave_up = true;
    ASSERT_TRUE(stage.play([&] { return stage.state_of("a") == StepState::failed; }));
    EXPECT_LT(stage.now() - gave_up, 10s);
    EXPECT_EQ(stage.thing("a").effects, 0);
}

TEST(LongWork, ThatGaveUpAfterAllWasDoneHasSucceeded) {
    Stage stage(plan({step("a")}));
    stage.thing("a").gave_up = true;
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("a"), StepState::succeeded);
}

TEST(LongWork, ThatWasCutOffIsAskedForAgainWhileTriesAreLeft) {
    Stage stage(plan({step("a", {.action = "act.idempotent", .deadline = 4h, .attempts = 3})}));
    stage.thing("a").replies = {{.shows_after = 3h}, {.shows_after = 1h}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    stage.thing("a").cut_off = true;
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 2; }));
    stage.thing("a").cut_off = false;
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("a"), StepState::succeeded);
    EXPECT_EQ(stage.record("a").attempt, 2);

    Stage again(plan({step("a", {.action = "act.idempotent", .deadline = 4h, .attempts = 2})}));
    again.thing("a").replies = {{.shows_after = 3h}, {.shows_after = 3h}};
    again.thing("a").cut_off = true;
    const Moment begun = again.now();
    ASSERT_TRUE(again.play_to_end());
    EXPECT_EQ(again.record("a").attempt, 2);
    EXPECT_TRUE(again.said("after 2 attempts"));
    EXPECT_LT(again.now() - begun, 1min) << "nobody waited for the deadline";
}

TEST(AtMostOnce, IsNeverRepeatedWithoutAPerson) {
    for (const Fault fault : {Fault::outcome_unknown, Fault::unavailable}) {
        Stage stage(plan({step("a", {.action = "act.once"})}));
        stage.thing("a").replies = {{.fault = fault, .happens = false}};
        ASSERT_TRUE(stage.play_until(RunPhase::holding));
        stage.wait(1h);
        EXPECT_EQ(stage.record("a").attempt, 1);
        EXPECT_EQ(stage.state_of("a"), StepState::unknown);
    }
}

TEST(AtMostOnce, SucceedsWhenTheTargetShowsIt) {
    Stage stage(plan({step("a", {.action = "act.once"})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").cause, Cause::effect_seen);
}

TEST(AtMostOnce, IsResolvedByAPersonAsDone) {
    Stage stage(plan({step("a", {.action = "act.once"}), step("b", {.needs = {"a"}})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "resolve", "a", "perhaps"), "say done or not-done");
    EXPECT_EQ(stage.ask("urs", "resolve", "a", "done"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").cause, Cause::person_says_done);
    EXPECT_EQ(stage.thing("b").effects, 1);
}

TEST(AtMostOnce, IsResolvedByAPersonAsNotDone) {
    Stage stage(plan({step("a", {.action = "act.once"})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "resolve", "a", "not-done"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
    EXPECT_NE(stage.ask("urs", "resolve", "a", "done"), "") << "the run has ended";
}

TEST(AtMostOnce, HoldsTheRunOnItsWayBackToo) {
    Stage stage(plan({step("a", {.action = "act.once"}), step("b")}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .happens = false}};
    stage.thing("b").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::compensating));
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "resolve", "a", "not-done"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(AtMostOnce, HoldsTheRunAmongTheAlwaysStepsToo) {
    Stage stage(plan({step("a"), step("last", {.action = "act.once", .always = true})}));
    stage.thing("last").replies = {{.fault = Fault::outcome_unknown, .happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "resolve", "last", "done"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Takeover, LooksBeforeItRepeats) {
    Stage stage(plan({step("a")}));
    stage.thing("a").replies = {{.takes = 1s}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    stage.crash();
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1);
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
    EXPECT_TRUE(stage.said("it is there"));
}

TEST(Takeover, CountsNoAttemptThatEndedWithItsController) {
    Stage stage(plan({step("a")}));
    constexpr int deaths = 5;  // more than there are attempts
    stage.thing("a").replies.assign(deaths, Reply{.happens = false, .takes = 1s});
    for (int i = 1; i <= deaths; ++i) {
        ASSERT_TRUE(stage.play([&] {
            return stage.record("a").attempt == i && stage.record("a").state == StepState::running;
        })) << i;
        stage.crash();
    }
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
    EXPECT_EQ(stage.record("a").attempt, deaths + 1);
}

TEST(Takeover, GivesAStepItsWholeDeadlineAgain) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 5s})}));
    stage.play_until("a", StepState::ready);
    stage.crash();
    stage.nobody_for(1h);
    stage.thing("a").there = true;
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Takeover, GivesAnUndoItsWholeDeadlineAgain) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}})}));
    stage.thing("b").replies = {{.fault = Fault::refused, .happens = false}};
    stage.thing("a").undo_replies = {{.takes = 1s}};
    ASSERT_TRUE(stage.play_until("a", StepState::compensating));
    stage.crash();
    stage.nobody_for(1h);
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(Takeover, CountsNoPauseAgainstAStep) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 5s})}));
    stage.play_until("a", StepState::ready);
    EXPECT_EQ(stage.ask("urs", "pause", ""), "");
    stage.wait(1h);
    stage.thing("a").there = true;
    EXPECT_EQ(stage.ask("urs", "resume", ""), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

// One engine, fed by hand.
class Answers : public testing::Test {
protected:
    Decision next() { return stage.engine().decide(stage.now()); }

    Stage stage{plan({step("a")})};
};

TEST_F(Answers, ToACallCountOnce) {
    stage.play_until("a", StepState::ready);
    const Decision decision = next();
    ASSERT_EQ(decision.calls.size(), 0U) << "the stage has sent the look";

    Engine engine(RunState("r-1", plan({step("a")}), types()), {});
    for (const Entry& entry : stage.journal()) ASSERT_TRUE(engine.recorded(entry));
    const Decision look = engine.decide(stage.now());
    ASSERT_EQ(look.calls.size(), 1U);
    engine.looked(look.calls[0], Look{.done = Truth::no, .allowed = Truth::no, .says = "first"}, stage.now());
    engine.looked(look.calls[0], Look{.done = Truth::yes, .says = "second"}, stage.now());
    EXPECT_EQ(engine.last_said(0), "first");
}

TEST_F(Answers, ThatNobodyAskedForAreDropped) {
    CallOrder order{.step = 0, .what = CallOrder::What::apply, .serial = 4711};
    stage.engine().applied(order, Error{Fault::refused, "who are you?"}, stage.now());
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(LateAnswer, OfALookForwardIsNotTakenForALookBack) {
    // The look that is out when a person resolves the step would say "yes, it is there"; read as the answer of the
    // undo it would mean "taken back".
    Stage stage(plan({step("a", {.action = "act.once"})}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .shows_after = 20s}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").there; })) << "a look that sees it is on its way back";
    ASSERT_EQ(stage.state_of("a"), StepState::unknown);
    EXPECT_EQ(stage.ask("urs", "resolve", "a", "not-done"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").undone, 1);
    EXPECT_FALSE(stage.thing("a").there);
}

}  // namespace
}  // namespace kedge
