// Gates, waivers, steps done by hand, and what people may ask of a run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/stage.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using namespace stage;
using testing::ElementsAre;
using testing::HasSubstr;

Gate two_approvers() {
    return {.approvals = 2, .roles = {"approver"}, .expires = 30min, .says = "may it be done?"};
}

class AtAGate : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(stage.play_until("a", StepState::waiting)); }

    Stage stage{plan({step("a", {.gate = two_approvers()})})};
};

TEST_F(AtAGate, NothingHappensWithoutTheQuorum) {
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    stage.wait(10min);
    EXPECT_EQ(stage.thing("a").effects, 0);
    EXPECT_EQ(stage.ask("mira", "approve", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1);
    EXPECT_TRUE(stage.said("by urs, mira"));
}

TEST_F(AtAGate, OnePersonCountsOnce) {
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    EXPECT_THAT(stage.ask("urs", "approve", "a"), HasSubstr("agreed already"));
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::waiting);
}

TEST_F(AtAGate, TheRequesterDoesNotCount) {
    EXPECT_THAT(stage.ask("rahel", "approve", "a"), HasSubstr("cannot agree to it as well"));
}

TEST_F(AtAGate, TheRoleIsAskedFor) {
    EXPECT_THAT(stage.ask("beat", "approve", "a"), HasSubstr("none of the roles"));
}

TEST_F(AtAGate, AStrangerIsNobody) {
    EXPECT_THAT(stage.ask("mallory", "approve", "a"), HasSubstr("nobody in this estate"));
    EXPECT_THAT(stage.ask("", "approve", "a"), HasSubstr("nobody in this estate")) << "a person without a login";
}

TEST_F(AtAGate, NobodyIsPlayedOutsideALab) {
    EXPECT_THAT(
        stage.ask(Request{.step = "a", .verb = "approve", .digest = stage.record("a").digest, .played_as = "urs"}),
        HasSubstr("only in a lab"));
}

TEST_F(AtAGate, AnApprovalOfSomethingElseShownIsVoid) {
    EXPECT_THAT(stage.ask(Request{.step = "a", .login = "urs", .verb = "approve", .digest = "old"}),
                HasSubstr("has changed since"));
}

TEST_F(AtAGate, AnApprovalCanBeWithdrawnUntilItIsUsed) {
    EXPECT_THAT(stage.ask("urs", "withdraw", "a"), HasSubstr("had not agreed"));
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    EXPECT_EQ(stage.ask("urs", "withdraw", "a"), "");
    EXPECT_EQ(stage.ask("mira", "approve", "a"), "");
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::waiting);
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    EXPECT_EQ(stage.state_of("a"), StepState::ready);
    EXPECT_THAT(stage.ask("urs", "withdraw", "a"), HasSubstr("does not wait"));
}

TEST_F(AtAGate, TheTimeToDecideEnds) {
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.said("nobody decided within 30 min") || stage.said("nobody decided within 30m"));
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST_F(AtAGate, AnApprovalAfterTheTimeIsRefusedThoughNobodyControlledTheRun) {
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    const std::string digest = stage.record("a").digest;
    stage.crash();
    stage.nobody_for(31min);
    EXPECT_EQ(stage.ask(Request{.step = "a", .login = "mira", .verb = "approve", .digest = digest}),
              "the time to decide has passed");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 0);
}

TEST_F(AtAGate, AQuorumThatWasNotUsedInTimeIsNotUsedLater) {
    const std::string digest = stage.record("a").digest;
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    EXPECT_EQ(stage.ask("mira", "approve", "a"), "");
    ASSERT_EQ(stage.state_of("a"), StepState::ready);
    stage.crash();
    stage.nobody_for(31min);
    ASSERT_TRUE(stage.play_until("a", StepState::waiting)) << "people are asked again";
    EXPECT_EQ(stage.thing("a").effects, 0);
}

TEST_F(AtAGate, OneNoIsEnough) {
    EXPECT_EQ(stage.ask("rahel", "reject", "a", "not tonight"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.said("rahel: not tonight"));
    EXPECT_EQ(stage.thing("a").effects, 0);
}

TEST_F(AtAGate, ACrashForgetsNoApproval) {
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    stage.crash();
    EXPECT_EQ(stage.ask("mira", "approve", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST_F(AtAGate, OtherVerbsAreRefused) {
    EXPECT_THAT(stage.ask("urs", "waive", "a"), HasSubstr("use approve"));
    EXPECT_THAT(stage.ask("urs", "confirm", "a"), HasSubstr("no confirmation"));
    EXPECT_THAT(stage.ask("urs", "done", "a"), HasSubstr("not done by hand"));
    EXPECT_THAT(stage.ask("urs", "resolve", "a", "done"), HasSubstr("not unknown"));
    EXPECT_THAT(stage.ask("urs", "retry", "a"), HasSubstr("has not failed"));
    EXPECT_THAT(stage.ask("urs", "skip", "a"), HasSubstr("only one that failed"));
    EXPECT_THAT(stage.ask("urs", "take_over", "a"), HasSubstr("owes nothing"));
    EXPECT_THAT(stage.ask("urs", "take_over", ""), HasSubstr("nothing is owed"));
    EXPECT_THAT(stage.ask("urs", "resume", ""), HasSubstr("not paused"));
    EXPECT_THAT(stage.ask("urs", "dance", "a"), HasSubstr("not something that can be asked"));
    EXPECT_THAT(stage.ask("urs", "dance", ""), HasSubstr("not something that can be asked"));
    EXPECT_THAT(stage.ask(Request{.step = "z", .login = "urs", .verb = "approve"}), HasSubstr("no step 'z'"));
}

TEST(Gate, IsNeededAgainWhenAFailedStepIsTriedAgain) {
    Stage stage(plan({step("x", {.action = "cross"}), step("a", {.needs = {"x"}, .gate = Gate{.approvals = 1}})}));
    stage.thing("a").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_until("a", StepState::waiting));
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_EQ(stage.ask("urs", "retry", "a"), "");
    ASSERT_TRUE(stage.play_until("a", StepState::waiting));
}

TEST(Gate, OfACheckWaitsWithWhatTheCheckFound) {
    Stage stage(plan({step("a", {.action = "check", .gate = Gate{.approvals = 1}})}));
    stage.thing("a").there = true;
    stage.thing("a").evidence = {{"lag_seconds", 3}};
    ASSERT_TRUE(stage.play_until("a", StepState::waiting));
    EXPECT_EQ(get_integer(stage.record("a").evidence, "lag_seconds"), 3);
    EXPECT_EQ(stage.ask("urs", "approve", "a"), "");
    EXPECT_TRUE(stage.play_to_end());
}

TEST(StartGate, IsPassedByTypedWordsAndAnApproval) {
    const Gate gate{.confirm = "FAILOVER", .approvals = 1};
    Stage stage(plan({step("a")}, gate), {.confirmed = "FAILOVER"});
    ASSERT_TRUE(stage.play_until("start", StepState::waiting));
    EXPECT_EQ(stage.ask("mira", "approve", "start"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1);
}

TEST(StartGate, WaitsForTheWordsThatWereNotTyped) {
    Stage stage(plan({step("a")}, Gate{.confirm = "FAILOVER"}), {.confirmed = "failover"});
    ASSERT_TRUE(stage.play_until("start", StepState::waiting));
    EXPECT_EQ(stage.ask("rahel", "confirm", "start", "Failover"), "type exactly 'FAILOVER'");
    EXPECT_EQ(stage.ask("rahel", "confirm", "start", "FAILOVER"), "");
    EXPECT_TRUE(stage.play_to_end());
}

TEST(ByHand, IsDoneWhenAPersonSaysSo) {
    Stage stage(plan({by_hand("call", "call the data centre"), step("a", {.needs = {"call"}})}));
    ASSERT_TRUE(stage.play_until("call", StepState::waiting));
    EXPECT_EQ(stage.record("call").asks, "call the data centre");
    EXPECT_EQ(stage.ask("rahel", "done", "call"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("call"), StepState::succeeded);
}

TEST(ByHand, WithAGateNeedsTheApprovalsToo) {
    Stage stage(plan({by_hand("call", "call them", {}, Gate{.approvals = 1})}));
    ASSERT_TRUE(stage.play_until("call", StepState::waiting));
    EXPECT_EQ(stage.ask("rahel", "done", "call"), "");
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("call"), StepState::waiting);
    EXPECT_EQ(stage.ask("urs", "approve", "call"), "");
    EXPECT_TRUE(stage.play_to_end());
}

class AtARisk : public testing::Test {
protected:
    void SetUp() override {
        stage.thing("a").allowed = Truth::unknown;
        ASSERT_TRUE(stage.play_until("a", StepState::waiting));
    }

    Stage stage{plan({step("a", {.action = "act.risky", .if_blocked = IfBlocked::ask}), step("b", {.needs = {"a"}})})};
};

TEST_F(AtARisk, TheDangerIsQuoted) {
    EXPECT_THAT(stage.record("a").asks, HasSubstr("Something may be lost."));
    EXPECT_EQ(stage.record("a").waits_for, WaitFor::waiver);
}

TEST_F(AtARisk, TwoPeopleTakeItAndTheStepIsLeftOut) {
    EXPECT_THAT(stage.ask("urs", "approve", "a"), HasSubstr("use waive"));
    EXPECT_EQ(stage.ask("urs", "waive", "a"), "");
    EXPECT_THAT(stage.ask("urs", "waive", "a"), HasSubstr("agreed already"));
    EXPECT_THAT(stage.ask("rahel", "waive", "a"), HasSubstr("cannot agree"));
    stage.wait(1min);
    EXPECT_EQ(stage.state_of("a"), StepState::waiting);
    EXPECT_EQ(stage.ask("mira", "waive", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").cause, Cause::granted);
    EXPECT_THAT(stage.record("a").waived_by, ElementsAre("urs", "mira"));
    EXPECT_EQ(stage.thing("a").effects, 0);
    EXPECT_EQ(stage.thing("b").effects, 1);
}

TEST_F(AtARisk, TheStepIsDoneAfterAllWhereItCanBe) {
    EXPECT_EQ(stage.ask("urs", "waive", "a"), "");
    stage.thing("a").allowed = Truth::yes;
    EXPECT_EQ(stage.ask("mira", "waive", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 1);
}

TEST_F(AtARisk, NobodyTakesItInTime) {
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("b").effects, 0);
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(PointOfNoReturn, IsNeverLeftOutThoughItsRiskWasTaken) {
    Stage stage(plan({step("x", {.action = "cross.risky", .if_blocked = IfBlocked::ask})}));
    stage.thing("x").allowed = Truth::no;
    ASSERT_TRUE(stage.play_until("x", StepState::waiting));
    EXPECT_EQ(stage.ask("urs", "waive", "x"), "");
    EXPECT_EQ(stage.ask("mira", "waive", "x"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.reached(StepState::skipped).empty());
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
    EXPECT_EQ(stage.thing("x").effects, 0);
}

TEST(Pause, BeginsNothingNewAndLetsFinishWhatRuns) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}})}));
    stage.thing("a").replies = {{.shows_after = 2s}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    EXPECT_EQ(stage.ask("urs", "pause", "", "lunch"), "");
    EXPECT_THAT(stage.ask("urs", "pause", ""), HasSubstr("cannot be paused"));
    stage.wait(10min);
    EXPECT_EQ(stage.state_of("a"), StepState::succeeded);
    EXPECT_EQ(stage.thing("b").effects, 0);
    EXPECT_EQ(stage.ask("urs", "resume", ""), "");
    EXPECT_TRUE(stage.play_to_end());
}

TEST(Pause, ForgetsWhatWasSeenBefore) {
    Stage stage(plan({step("a", {.gate = Gate{}, .always = false})}));
    ASSERT_TRUE(stage.play_until("a", StepState::ready));
    EXPECT_EQ(stage.ask("urs", "pause", ""), "");
    stage.wait(1min);
    stage.thing("a").allowed = Truth::no;
    EXPECT_EQ(stage.ask("urs", "resume", ""), "");
    stage.wait(1min);
    EXPECT_EQ(stage.thing("a").effects, 0);
}

TEST(Cancel, TakesBackWhatWasDone) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}, .gate = Gate{.approvals = 1}}), step("c", {.needs = {"b"}}),
                      step("d", {.action = "check"})}));
    ASSERT_TRUE(stage.play_until("b", StepState::waiting));
    EXPECT_EQ(stage.ask("rahel", "cancel", "", "false alarm"), "");
    EXPECT_THAT(stage.ask("rahel", "cancel", ""), HasSubstr("on its way to an end"));
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::cancelled);
    EXPECT_THAT(stage.reached(StepState::cancelled), ElementsAre("b", "c", "d"));
    EXPECT_EQ(stage.state_of("a"), StepState::compensated);
    EXPECT_TRUE(stage.said("cancelled by rahel: false alarm"));
}

TEST(Cancel, WaitsForWhatIsInFlight) {
    Stage stage(plan({step("a")}));
    stage.thing("a").replies = {{.shows_after = 3s}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_FALSE(stage.thing("a").there);
    EXPECT_EQ(stage.thing("a").undone, 1);
}

TEST(Cancel, TakesBackAnEffectThatWasAboutToBeRepeated) {
    Stage stage(plan({step("a", {.deadline = 1h})}));
    stage.thing("a").replies = {{.fault = Fault::unavailable, .shows_after = 5s}};
    ASSERT_TRUE(stage.play([&] { return stage.record("a").cause == Cause::effect_absent; }));
    stage.thing("a").allowed = Truth::no;
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    ASSERT_TRUE(stage.play_until("a", StepState::compensated) || stage.phase() == RunPhase::ended);
    EXPECT_EQ(stage.state_of("a"), StepState::compensated) << "an attempt was made: it is looked at, not forgotten";
}

TEST(Cancel, TakesBackAnEffectWhoseRepetitionWaitedForPeople) {
    Stage stage(plan({step("a", {.action = "act.risky", .if_blocked = IfBlocked::ask})}));
    stage.thing("a").replies = {{.fault = Fault::unavailable, .happens = false}};
    ASSERT_TRUE(stage.play([&] { return stage.record("a").cause == Cause::contact_lost; }));
    stage.thing("a").allowed = Truth::no;
    ASSERT_TRUE(stage.play_until("a", StepState::waiting));
    EXPECT_EQ(stage.ask("rahel", "cancel", ""), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("a"), StepState::compensated);
}

TEST(Skip, NeedsAReasonAndSomebodyElse) {
    Stage stage(plan({step("x", {.action = "cross"}), step("a", {.needs = {"x"}}), step("b", {.needs = {"a"}})}));
    stage.thing("a").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_until(RunPhase::holding));
    EXPECT_THAT(stage.ask("urs", "skip", "a", ""), HasSubstr("needs a reason"));
    EXPECT_THAT(stage.ask("rahel", "skip", "a"), HasSubstr("somebody other"));
    EXPECT_EQ(stage.ask("urs", "skip", "a"), "");
    EXPECT_EQ(stage.record("a").cause, Cause::skipped_by_person);
    ASSERT_TRUE(stage.play([&] { return stage.thing("b").effects == 1; }));
}

TEST(Skip, LeavesOutAStepThatCannotBegin) {
    Stage stage(plan({step("a", {.deadline = 1h}), step("b", {.needs = {"a"}})}));
    stage.thing("a").allowed = Truth::no;
    ASSERT_TRUE(stage.play_until("a", StepState::ready));
    EXPECT_EQ(stage.ask("urs", "skip", "a"), "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Skip, NeverLeavesOutThePointOfNoReturn) {
    Stage stage(plan({step("x", {.action = "cross", .deadline = 1h})}));
    stage.thing("x").allowed = Truth::no;
    ASSERT_TRUE(stage.play_until("x", StepState::ready));
    EXPECT_EQ(stage.ask("urs", "skip", "x"), "this step cannot be left out");
}

TEST(PlayedPeople, AreMarkedAsSuchInALab) {
    Stage stage(plan({step("a", {.gate = Gate{.approvals = 1}})}), {.lab = true});
    ASSERT_TRUE(stage.play_until("a", StepState::waiting));
    EXPECT_EQ(
        stage.ask(Request{.step = "a", .verb = "approve", .digest = stage.record("a").digest, .played_as = "urs"}), "");
    EXPECT_TRUE(stage.said("by urs (played)"));
}

}  // namespace
}  // namespace kedge
