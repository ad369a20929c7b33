// Steps on their way forward: order, checks, effects, what is skipped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/events.h"
#include "engine/stage.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using namespace stage;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Steps, RunInTheOrderOfTheirNeeds) {
    Stage stage(plan({step("c", {.needs = {"b"}}), step("b", {.needs = {"a"}}), step("a")}));
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_THAT(stage.reached(StepState::succeeded), ElementsAre("a", "b", "c"));
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Steps, RunSideBySideWithoutAnOrder) {
    Stage stage(fan_out(3));
    for (const char* id : {"s0", "s1", "s2"}) stage.thing(id).replies = {{.shows_after = 1s}};
    ASSERT_TRUE(stage.play_until("s0", StepState::running));
    EXPECT_EQ(stage.state_of("s1"), StepState::running);
    EXPECT_EQ(stage.state_of("s2"), StepState::running);
    EXPECT_TRUE(stage.play_to_end());
}

TEST(Steps, RecordTheIntentBeforeTheEffect) {
    Stage stage(plan({step("a")}));
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    EXPECT_TRUE(stage.record("a").intended);
    EXPECT_EQ(stage.record("a").attempt, 1);
}

TEST(Steps, DoNothingWhereTheTargetAlreadyShowsIt) {
    Stage stage(plan({step("a")}));
    stage.thing("a").there = true;
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 0);
    EXPECT_EQ(stage.record("a").cause, Cause::already_so);
    EXPECT_EQ(stage.record("a").attempt, 0);
}

TEST(Steps, SucceedOnlyWhenTheTargetShowsTheEffect) {
    Stage stage(plan({step("a")}));
    stage.thing("a").replies = {{.shows_after = 3s}};
    ASSERT_TRUE(stage.play([&] { return stage.thing("a").effects == 1; }));
    stage.wait(2s);
    EXPECT_EQ(stage.state_of("a"), StepState::running);
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(get_string(stage.record("a").evidence, "learned"), "it");
}

TEST(Steps, KeepWhatTheyLearnedWhereTheTargetShowsNoEvidence) {
    Stage stage(plan({step("a")}));
    stage.thing("a").evidence = Json();
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(get_string(stage.record("a").evidence, "learned"), "it");
}

TEST(Steps, FailWhenAnAcceptedEffectIsNotShownInTime) {
    Stage stage(plan({step("a", {.action = "act.plain"})}));
    stage.thing("a").replies = {{.happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").cause, Cause::not_shown);
}

TEST(Steps, FailWhenTheTargetRefuses) {
    Stage stage(plan({step("a")}));
    stage.thing("a").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 0);
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(Steps, AreBlockedWhileTheyAreNotAllowed) {
    Stage stage(plan({step("a", {.deadline = 3s})}));
    stage.thing("a").allowed = Truth::unknown;
    const Moment begun = stage.now();
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.thing("a").effects, 0);
    EXPECT_EQ(stage.record("a").cause, Cause::refused);
    EXPECT_GE(stage.now() - begun, 3s);
    EXPECT_LE(stage.now() - begun, 4s);
}

TEST(Steps, FailWhenTheirTargetIsSilentForTheWholeDeadline) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 3s})}));
    stage.thing("a").silent = true;
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_TRUE(stage.said("it is silent"));
}

std::vector<std::string> waits_told(const Stage& stage) {
    std::vector<std::string> told;
    for (const Entry& entry : stage.journal())
        if (entry.kind == events::step_waits) told.push_back(get_string(entry.body, "says").value_or(""));
    return told;
}

TEST(Steps, TellTheJournalOnceWhatKeepsThemWaiting) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 10min})}));
    stage.wait(800ms);
    EXPECT_THAT(waits_told(stage), IsEmpty()) << "a short wait is no news";
    stage.wait(1min);
    EXPECT_THAT(waits_told(stage), ElementsAre("it is not there"));
    EXPECT_EQ(stage.record("a").says, "it is not there");
    stage.ask("rahel", "cancel", "");
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").state, StepState::cancelled);
    EXPECT_EQ(stage.record("a").says, "it is not there") << "for the report";
}

TEST(Steps, TellEverySeldomerWhatKeepsThemWaitingWhenItReadsOtherwise) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 10min})}));
    for (int second = 0; second < 300; ++second) {
        stage.thing("a").silent = second % 2 == 1;
        stage.wait(1s);
    }
    EXPECT_GE(waits_told(stage).size(), 4u);
    EXPECT_LE(waits_told(stage).size(), 9u);
}

TEST(Steps, LookOftenAtFirstAndSeldomLater) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 60s})}));
    stage.play_until("a", StepState::ready);
    stage.wait(1s);
    EXPECT_GE(stage.thing("a").looks, 5);
    const int looks = stage.thing("a").looks;
    stage.wait(30s);
    EXPECT_LE(stage.thing("a").looks - looks, 70);
}

TEST(Steps, LookAgainWhenTheLookSaysThatItIsWorthIt) {
    Stage stage(plan({step("a", {.action = "check", .deadline = 60s})}));
    stage.thing("a").holds = [](Moment) { return Truth::no; };
    stage.thing("a").again_after = 20ms;
    stage.play_until("a", StepState::ready);
    stage.wait(10s);
    EXPECT_GT(stage.thing("a").looks, 300) << "never later than after 20 ms, and the 5 ms that a look takes";
    EXPECT_LT(stage.thing("a").looks, 1000);
}

TEST(Steps, AreSkippedByARuleOfThePlan) {
    Stage stage(plan({step("a", {.skipped_because = "mode is not forced"}), step("b", {.needs = {"a"}})}));
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.record("a").cause, Cause::rule_skips);
    EXPECT_EQ(stage.state_of("b"), StepState::succeeded);
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(Steps, OfARehearsalOnlyLook) {
    Stage stage(plan({by_hand("call", "call them"), step("a", {.needs = {"call"}}),
                      step("c", {.action = "check", .needs = {"a"}}), step("x", {.action = "cross", .needs = {"c"}}),
                      step("last", {.always = true})},
                     Gate{.approvals = 1}),
                {.mode = Mode::rehearse});
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.reached(StepState::skipped).size(), 6U);
    for (const char* id : {"a", "c", "x", "last"}) {
        EXPECT_EQ(stage.thing(id).effects, 0);
        EXPECT_GE(stage.thing(id).looks, 1);
    }
    EXPECT_TRUE(stage.run().obligations().empty());
}

TEST(Steps, OfARehearsalAreNotWellWhenNothingCouldBeSeen) {
    Stage silent(plan({step("a", {.action = "check", .deadline = 3s}), step("b", {.needs = {"a"}})}),
                 {.mode = Mode::rehearse});
    silent.thing("a").silent = true;
    ASSERT_TRUE(silent.play_to_end());
    EXPECT_NE(silent.run().result(), RunResult::succeeded);
    EXPECT_EQ(silent.state_of("a"), StepState::failed);
    EXPECT_TRUE(silent.said("it is silent"));

    Stage late(plan({step("a", {.action = "check", .deadline = 10s, .if_blocked = IfBlocked::ask})}),
               {.mode = Mode::rehearse});
    late.wait(3s);
    late.thing("a").there = true;
    ASSERT_TRUE(late.play_to_end());
    EXPECT_EQ(late.run().result(), RunResult::succeeded) << "what comes within the deadline is well";
}

TEST(SteadyCheck, HoldsForTheWholeTime) {
    Stage stage(plan({step("soak", {.action = "check", .deadline = 10s, .steady = 60s})}));
    stage.thing("soak").there = true;
    const Moment begun = stage.now();
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_GE(stage.now() - begun, 60s);
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(SteadyCheck, FailsOnADefiniteNo) {
    Stage stage(plan({step("soak", {.action = "check", .steady = 60s})}));
    const Moment breach = stage.now() + 30s;
    stage.thing("soak").holds = [&](Moment now) { return truth(now < breach); };
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("soak"), StepState::failed);
    EXPECT_LE(stage.now() - breach, 1s);
}

TEST(SteadyCheck, BearsAShortSilence) {
    Stage stage(plan({step("soak", {.action = "check", .steady = 60s})}));
    const Moment silence = stage.now() + 30s;
    stage.thing("soak").holds = [&](Moment now) {
        return now >= silence && now < silence + 5s ? Truth::unknown : Truth::yes;
    };
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.run().result(), RunResult::succeeded);
}

TEST(SteadyCheck, StartsAnewAfterALongSilenceAndEndsByItsDeadline) {
    Stage stage(plan({step("soak", {.action = "check", .deadline = 40s, .steady = 60s})}));
    const Moment silence = stage.now() + 5s;
    stage.thing("soak").holds = [&](Moment now) { return now < silence ? Truth::yes : Truth::unknown; };
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("soak"), StepState::failed);
    EXPECT_LE(stage.now() - silence, 41s);
}

TEST(AlwaysSteps, RunInOrderAfterASuccess) {
    Stage stage(plan({step("a"), step("tell", {.always = true}), step("tidy", {.always = true})}));
    stage.thing("tell").replies = {{.shows_after = 2s}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_THAT(stage.reached(StepState::succeeded), ElementsAre("a", "tell", "tidy"));
}

TEST(AlwaysSteps, RunAfterAFailure) {
    Stage stage(plan({step("a"), step("b", {.needs = {"a"}}), step("tell", {.always = true})}));
    stage.thing("b").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("tell"), StepState::succeeded);
    EXPECT_EQ(stage.run().result(), RunResult::compensated);
}

TEST(AlwaysSteps, AreCancelledWhenWhatTheyNeedWasNotDone) {
    Stage stage(plan({step("a"), step("lift", {.needs = {"a"}, .always = true}), step("tell", {.always = true})}));
    stage.thing("a").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("lift"), StepState::cancelled);
    EXPECT_EQ(stage.state_of("tell"), StepState::succeeded);
}

TEST(AlwaysSteps, ThatFailDoNotStopTheOthersButTheRunHasFailed) {
    Stage stage(plan({step("a"), step("tell", {.always = true}), step("tidy", {.always = true})}));
    stage.thing("tell").replies = {{.fault = Fault::refused, .happens = false}};
    ASSERT_TRUE(stage.play_to_end());
    EXPECT_EQ(stage.state_of("tidy"), StepState::succeeded);
    EXPECT_EQ(stage.run().result(), RunResult::failed);
}

}  // namespace
}  // namespace kedge
