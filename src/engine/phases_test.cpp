// The run as a whole: backward, past the point of no return, holding, what is owed at the end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/stage.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using namespace stage;
using testing::ElementsAre;
using testing::HasSubstr;

const Reply refuses{.fault = Fault::refused, .happens = false};

TEST(Failure, LetsTheOthersGoOnWhereThePlanSaysSo) {
    for (const auto& [if_failed, result] :
         {std::pair{IfFailed::go_on, RunResult::compensated}, std::pair{IfFailed::ignore, RunResult::succeeded}}) {
        Stage stage(
            plan({step("probe", {.action = "check", .if_failed = if_failed}), step("other", {.action = "act.plain"}),
                  step("after", {.action = "act.plain", .needs = {"probe", "other"}})}));
        ASSERT_TRUE(stage.play_to_end());
        EXPECT_EQ(stage.state_of("probe"), StepState::failed);
        EXPECT_THAT(stage.reached(StepState::succeeded), ElementsAre("other", "after"));
        EXPECT_EQ(stage.run().result(), result);
    }
}

TEST(Failure, OfAnIgnoredStepAtTheEndIsNoFailureOfTheRun) {
    Stage stage(
        plan({step("a"), step("tell", {.action = "act.plain", .if_failed = IfFailed::ignore, .always = true})}));
    stage.thing("tell").replies = {refuses};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("tell"), StepState::failed);
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Compensation, GoesBackInReverseOrderOfCompletion) {
    Stage stage(
        plan({step("c", {.needs = {"b"}}), step("a"), step("b", {.needs = {"a"}}), step("d", {.needs = {"c"}})}));
    stage.thing("d").replies = {refuses};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_THAT(stage.reached(StepState::compensating), ElementsAre("d", "c", "b", "a"));
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
    for (const char* id : {"a", "b", "c"}) EXPECT_EQ(stage.thing(id).undone, 1);
    EXPECT_EQ(stage.thing("d").undone, 0) << "it looked, and there was nothing to take back";
}

TEST(Compensation, BeginsWithTheStepThatFailedWhereverItStandsInThePlan) {
    Stage stage(plan({step("failing", {.needs = {"z"}}), step("z")}));
    stage.thing("failing").replies = {{.fault = Fault::refused, .happens = true}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_THAT(stage.reached(StepState::compensating), ElementsAre("failing", "z"));
}

TEST(Compensation, LeavesAloneWhatNeverActedOrWasFoundAlreadySo) {
    Stage stage(
        plan({step("found"), step("check", {.action = "check"}), step("left", {.skipped_because = "rule"}),
              step("plain", {.action = "act.plain"}), step("bad", {.needs = {"found", "check", "left", "plain"}})}));
    stage.thing("found").there = stage.thing("check").there = true;
    stage.thing("bad").replies = {refuses};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_THAT(stage.reached(StepState::compensating), ElementsAre("bad"));
    EXPECT_EQ(stage.thing("found").undone, 0);
}

TEST(Compensation, TakesBackAnEffectOfOursThatShowedLate) {
    // The answer is lost, the look says no, and before the repetition the effect is there: it is ours all the same.
    Stage stage(plan({step("a", {.deadline = 1h}), step("b", {.needs = {"a"}})}));
    stage.thing("a").replies = {{.fault = Fault::unavailable, .shows_after = 5s}};
    stage.thing("b").replies = {refuses};
    ASSERT_TRUE(stage.play([&] { return stage.record("a").cause == Cause::contact_lost; }));
    stage.thing("a").allowed = Truth::no;
    ASSERT_TRUE(stage.play([&] { return stage.record("a").cause == Cause::already_so; }));
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").undone, 1);
}

TEST(Compensation, RepeatsAnUndoWhoseAnswerWasLost) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}})}));
    stage.thing("b").replies = {refuses};
    stage.thing("a").undo_replies = {{.fault = Fault::unavailable, .happens = false},
                                     {.fault = Fault::outcome_unknown, .happens = true}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
    EXPECT_EQ(stage.thing("a").undone, 1);
}

TEST(Compensation, HoldsTheRunWhenAnUndoIsRefusedUntilItIsRetried) {
    Stage stage(plan({step("first"), step("a", {.needs = {"first"}}), step("b", {.action = "check", .needs = {"a"}})}));
    stage.thing("a").undo_replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.state_of("a"), StepState::compensation_failed);
    EXPECT_EQ(stage.state_of("first"), StepState::succeeded) << "what it stands on stays until it is taken back";
    EXPECT_THAT(stage.ask("urs", "retry", "b"), HasSubstr("not go forward")) << stage.run().phase_says();
    EXPECT_EQ(stage.ask("urs", "retry", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(Compensation, GoesOnWithoutAStepThatAPersonTookOver) {
    for (const char* on : {"a", ""}) {
        Stage stage(plan({step("first"), step("a", {.needs = {"first"}}), step("b", {.needs = {"a"}})}));
        stage.thing("b").replies = {refuses};
        stage.thing("a").undo_replies = {refuses};
        ASSERT_TRUE(stage.play_until(RunPhase::holding));
        EXPECT_EQ(stage.ask("urs", "take_over", on), "");
        ASSERT_TRUE(stage.play_to_end());
        EXPECT_EQ(stage.run().result(), RunResult::failed);
        EXPECT_EQ(stage.thing("first").undone, 1);
    }
}

TEST(Compensation, FailsWhenTheUndoDoesNotShow) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}})}));
    stage.thing("b").replies = {refuses};
    stage.thing("a").undo_replies = {{.happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.state_of("a"), StepState::compensation_failed);
}

TEST(Compensation, ThatMustNotHaveHappenedIsForPeopleAtOnce) {
    Stage stage(plan({step("a", {.deadline = 4h}), step("b", {.needs = {"a"}})}));
    stage.thing("b").replies = {refuses};
    stage.thing("a").undo_gave_up = true;
    const Moment began = stage.now();
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.state_of("a"), StepState::compensation_failed);
    EXPECT_LT(stage.now() - began, 2s) << "its deadline is not waited for";
}

TEST(Compensation, WaitsForAnUnknownOutcomeBeforeItTakesBack) {
    Stage stage(plan({step("a"), step("b")}));
    stage.thing("a").replies = {{.fault = Fault::outcome_unknown, .shows_after = 300ms}};
    stage.thing("b").replies = {{.fault = Fault::refused, .happens = false, .takes = 50ms}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").undone, 1);
    EXPECT_FALSE(stage.thing("a").there);
}

TEST(AFailure, BeginsNothingNewBesideIt) {
    Stage stage(plan({step("a"), step("b"), step("later", {.needs = {"b"}})}));
    stage.thing("a").replies = {{.fault = Fault::refused, .happens = false, .takes = 100ms}};
    stage.thing("b").replies = {{.shows_after = 90ms}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("later").effects, 0);
}

TEST(PointOfNoReturn, HoldsInsteadOfGoingBack) {
    Stage stage(plan({step("a"), step("x", {.action = "cross", .needs = {"a"}}), step("b", {.needs = {"x"}})}));
    stage.thing("b").replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    stage.wait(1h);
    EXPECT_EQ(stage.phase(), RunPhase::holding) << "a person chooses, not the time";
    EXPECT_TRUE(stage.reached(StepState::compensating).empty());
    EXPECT_EQ(stage.ask("urs", "retry", "b"), "");
    ASSERT_TRUE(stage.play_until("b", StepState::succeeded));
}

TEST(PointOfNoReturn, HoldsWhenTheLastStepOfAllFails) {
    Stage stage(plan(
        {step("x", {.action = "cross"}), step("j", {.action = "join", .needs = {"x"}}), step("b", {.needs = {"j"}})}));
    stage.thing("b").replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    stage.wait(1h);
    EXPECT_EQ(stage.phase(), RunPhase::holding) << "nothing is owed and all is settled, but nobody has chosen";
}

TEST(PointOfNoReturn, IsNotTakenBackByACancellation) {
    Stage stage(
        plan({step("a"), step("x", {.action = "cross", .needs = {"a"}}), step("j", {.action = "join", .needs = {"x"}}),
              step("b", {.needs = {"j"}}), step("tell", {.always = true})}));
    stage.thing("b").replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.reached(StepState::compensating).empty());
    EXPECT_EQ(stage.run().result(), RunResult::failed);
    EXPECT_EQ(stage.thing("tell").effects, 1);
}

// Traffic is shifted, a soak judges it, a breach shifts it back.
class ABreach : public testing::Test {
protected:
    void SetUp() override {
        const Moment breach = stage.now() + 20s;
        stage.thing("soak").holds = [this, breach](Moment now) { return truth(calm || now < breach); };
        ASSERT_TRUE(stage.play_until(RunPhase::holding));
        stage.wait(1min);
    }

    bool calm = false;
    Stage stage{
        plan({step("x", {.action = "cross"}), step("j", {.action = "join", .needs = {"x"}}),
              step("shift", {.needs = {"j"}}), step("open", {.needs = {"shift"}}),
              step("soak", {.action = "check", .needs = {"open"}, .steady = 60s, .undo_on_failure = {"shift", "open"}}),
              step("rest", {.needs = {"soak", "shift"}})})};
};

TEST_F(ABreach, TakesBackWhatThePlanNamesTheNewestFirstAndHolds) {
    EXPECT_EQ(stage.phase(), RunPhase::holding);
    EXPECT_THAT(stage.reached(StepState::compensated), ElementsAre("open", "shift"));
    EXPECT_FALSE(stage.thing("shift").there);
    EXPECT_EQ(stage.thing("x").undone, 0);
}

TEST_F(ABreach, IsTriedAgainFromWhatWasTakenBack) {
    calm = true;
    EXPECT_EQ(stage.ask("urs", "retry", "soak"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
    EXPECT_EQ(stage.thing("shift").effects, 2);
    EXPECT_EQ(stage.thing("open").effects, 2);
    EXPECT_THAT(stage.reached(StepState::succeeded),
                ElementsAre("x", "j", "shift", "open", "shift", "open", "soak", "rest"));
}

TEST_F(ABreach, LeftOutDoesNotLetStepsBeginWhoseNeedsWereTakenBack) {
    EXPECT_EQ(stage.ask("urs", "skip", "soak"), "");
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("rest"), StepState::pending);
    EXPECT_EQ(stage.phase(), RunPhase::holding);
    EXPECT_THAT(stage.run().phase_says(), HasSubstr("was taken back"));
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    EXPECT_TRUE(stage.play_to_end());
}

TEST_F(ABreach, ThatCannotBeTakenBackIsNotTriedAgain) {
    calm = true;
    stage.thing("shift").undo_replies = {refuses};
    EXPECT_EQ(stage.ask("urs", "retry", "soak"), "");
    calm = false;
    ASSERT_TRUE(stage.play([&] { return stage.state_of("shift") == StepState::compensation_failed; }));
    EXPECT_THAT(stage.ask("urs", "retry", "soak"), HasSubstr("not taken back yet"));
    EXPECT_EQ(stage.ask("urs", "retry", "shift"), "");
    ASSERT_TRUE(stage.play_until("shift", StepState::compensated));
    calm = true;
    EXPECT_EQ(stage.ask("urs", "retry", "soak"), "");
    EXPECT_TRUE(stage.play_to_end());
}

TEST(Obligations, ArePaidByTheStepThatPaysThem) {
    Stage stage(plan({step("h", {.action = "hold"}), step("r", {.action = "release", .needs = {"h"}})}));
    ASSERT_TRUE(stage.play_until("h", StepState::succeeded));
    ASSERT_EQ(stage.run().obligations().size(), 1U);
    EXPECT_EQ(stage.run().obligations()[0].says, "db@east is held");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.run().obligations().empty());
}

TEST(Obligations, AreOpenFromTheIntentOn) {
    Stage stage(plan({step("h", {.action = "hold"})}));
    stage.thing("h").replies = {{.takes = 1s}};
    ASSERT_TRUE(stage.play([&] { return stage.record("h").intended; }));
    EXPECT_EQ(stage.run().obligations().size(), 1U);
}

TEST(Obligations, ArePaidByTheUndo) {
    Stage stage(plan({step("h", {.action = "hold"}), step("b", {.needs = {"h"}})}));
    stage.thing("b").replies = {refuses};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.run().obligations().empty());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(Obligations, KeepTheRunFromItsEndUntilTakenOverByName) {
    for (const char* on : {"x", ""}) {
        Stage stage(plan({step("x", {.action = "cross"}), step("tell", {.always = true})}));
        ASSERT_TRUE(stage.play_until(RunPhase::holding));
        EXPECT_THAT(stage.run().phase_says(), HasSubstr("db has no standby"));
        EXPECT_EQ(stage.thing("tell").effects, 1);
        stage.wait(1h);
        EXPECT_EQ(stage.phase(), RunPhase::holding);
        EXPECT_EQ(stage.ask("urs", "take_over", on), "");
        ASSERT_TRUE(stage.play_to_end());
        ASSERT_EQ(stage.run().obligations().size(), 1U);
        EXPECT_EQ(stage.run().obligations()[0].owner, "urs");
        EXPECT_EQ(stage.run().result(), RunResult::succeeded);
    }
}

TEST(Obligations, AreStillOwedWhenTheStepThatPaysIsLeftOut) {
    Stage stage(plan({step("x", {.action = "cross"}), step("j", {.action = "join", .needs = {"x"}})}));
    stage.thing("j").replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "skip", "j"), "");
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.run().obligations().size(), 1U);
}

TEST(Obligations, ArePaidByAnAlwaysStepThatIsRetried) {
    Stage stage(plan({step("h", {.action = "hold"}), step("r", {.action = "release", .always = true})}));
    stage.thing("r").replies = {refuses};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "retry", "r"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.run().obligations().empty());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Obligations, OfACancelledRunThatIsDoneArePaidByGoingBack) {
    Stage stage(plan({step("h", {.action = "hold"})}));
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.run().obligations().empty());
    EXPECT_EQ(stage.run().result(), RunResult::cancelled);
}

}  // namespace
}  // namespace kedge
