// Crashes at every boundary, and what a fold does with entries that cannot be true.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "engine/events.h"
#include "engine/stage.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using namespace stage;
using testing::HasSubstr;

// Runs that between them come through every state.
struct Story {
    const char* name;
    BoundPlan plan;
    std::function<void(Stage&)> begins;
    std::function<void(Stage&)> people;  // asked again and again; asks what is to be asked
};

std::vector<Story> stories() {
    const auto nothing = [](Stage&) {};
    const auto approve = [](Stage& stage) {
        if (stage.state_of("b") != StepState::waiting) return;
        if (stage.record("b").grants.empty()) stage.ask("urs", "approve", "b");
    };
    return {
        {"all goes well",
         plan({step("h", {.action = "hold"}), step("b", {.needs = {"h"}, .gate = Gate{.approvals = 1}}),
               step("x", {.action = "cross", .needs = {"b"}}), step("j", {.action = "join", .needs = {"x"}}),
               step("k", {.action = "act.keyed", .needs = {"x"}}), step("r", {.action = "release", .needs = {"j"}}),
               step("soak", {.action = "check", .needs = {"r"}, .steady = 5s}), step("tell", {.always = true})}),
         [](Stage& stage) {
             stage.thing("soak").there = true;
             stage.thing("x").replies = {{.shows_after = 2s}};
         },
         approve},
        {"the last step fails and all is taken back",
         plan({step("h", {.action = "hold"}), step("a", {.needs = {"h"}}), step("b", {.needs = {"a"}}),
               step("c", {.action = "check", .needs = {"b"}, .deadline = 2s}), step("tell", {.always = true})}),
         nothing, nothing},
        {"a breach after the point of no return, tried again",
         plan({step("x", {.action = "cross"}), step("j", {.action = "join", .needs = {"x"}}),
               step("shift", {.needs = {"j"}}),
               step("soak", {.action = "check", .needs = {"shift"}, .deadline = 2s, .undo_on_failure = {"shift"}})}),
         nothing,
         [](Stage& stage) {
             if (stage.phase() != RunPhase::holding || stage.state_of("shift") != StepState::compensated) return;
             stage.thing("soak").there = true;
             if (stage.state_of("soak") == StepState::failed) stage.ask("urs", "retry", "soak");
         }},
    };
}

// Plays a story, with a crash at boundary `nth` of `kind` if nth > 0. Returns how many of that kind there were.
int tell(const Story& story, Stage::Boundary kind, int nth, std::string& end, int& effects) {
    Stage stage(story.plan);
    story.begins(stage);
    if (nth > 0) stage.crash_at(kind, nth);
    for (int i = 0; i < 2000 && stage.phase() != RunPhase::ended; ++i) {
        stage.wait(100ms);
        story.people(stage);
    }
    EXPECT_EQ(stage.phase(), RunPhase::ended) << stage.run().phase_says();
    end = fmt::format("{} {}", to_string(stage.run().result().value_or(RunResult::failed)),
                      stage.run().obligations().size());
    effects = 0;
    for (std::size_t i = 0; i < stage.run().size(); ++i) {
        const std::string& id = stage.run().bound(i).id;
        end += fmt::format("\n{} {} {}", id, to_string(stage.run().record(i).state), stage.thing(id).there);
        effects += stage.thing(id).effects + stage.thing(id).undone;
    }
    return stage.boundaries(kind);
}

TEST(Resume, AtEveryBoundaryEndsWhereAnUndisturbedRunEnds) {
    for (const Story& story : stories())
        for (const Stage::Boundary kind :
             {Stage::Boundary::before_append, Stage::Boundary::after_append, Stage::Boundary::before_answer}) {
            std::string undisturbed;
            int effects = 0;
            const int count = tell(story, kind, 0, undisturbed, effects);
            ASSERT_GT(count, 10);
            for (int nth = 2; nth <= count; ++nth) {
                std::string end;
                int effects_now = 0;
                tell(story, kind, nth, end, effects_now);
                ASSERT_EQ(end, undisturbed) << story.name << ", boundary " << nth;
                ASSERT_EQ(effects_now, effects) << story.name << ", boundary " << nth << ": an effect doubled";
            }
        }
}

TEST(Determinism, TheSameAnswersGiveTheSameJournal) {
    for (const Story& story : stories()) {
        std::array<std::string, 2> journals;
        for (std::string& text : journals) {
            Stage stage(story.plan);
            story.begins(stage);
            for (int i = 0; i < 200 && stage.phase() != RunPhase::ended; ++i) {
                stage.wait(100ms);
                story.people(stage);
            }
            for (const Entry& entry : stage.journal())
                text += fmt::format("{} {} {}\n", to_string(entry.time), entry.kind, dump(entry.body));
        }
        EXPECT_EQ(journals[0], journals[1]);
    }
}

TEST(Determinism, FoldingTwiceGivesTheSameState) {
    for (const Story& story : stories()) {
        Stage stage(story.plan);
        story.begins(stage);
        for (int i = 0; i < 200 && stage.phase() != RunPhase::ended; ++i) {
            stage.wait(100ms);
            story.people(stage);
        }
        RunState one("r-1", story.plan, types()), two("r-1", story.plan, types());
        for (const Entry& entry : stage.journal()) {
            ASSERT_TRUE(one.fold(entry));
            ASSERT_TRUE(two.fold(entry));
            ASSERT_EQ(describe(one), describe(two));
        }
        EXPECT_EQ(describe(one), describe(stage.run()));
    }
}

class Fold : public testing::Test {
protected:
    Fold() { EXPECT_TRUE(add(started({.mode = Mode::live, .requester = "rahel"}, Moment{} + 1s))); }

    Result<void> add(const Draft& draft, Epoch epoch = 1) {
        return state.fold({.position = ++position,
                           .run = "r-1",
                           .epoch = epoch,
                           .kind = draft.kind,
                           .body = draft.body,
                           .time = draft.time});
    }
    Result<void> move(const std::string& id, StepState to, Cause cause, bool intent = false,
                      WaitFor waits_for = WaitFor::nothing) {
        return add(events::moved({.step = id, .to = to, .cause = cause, .intent = intent, .waits_for = waits_for},
                                 Moment{} + 2s));
    }
    void expect_corrupt(const Result<void>& result, const std::string& why) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, Fault::corrupt);
        EXPECT_THAT(result.error().message, HasSubstr(why));
    }

    RunState state{"r-1", plan({step("a"), step("c", {.action = "check"})}), types()};
    Position position = 0;
};

TEST_F(Fold, RefusesEveryMoveThatIsNotInTheTable) {
    for (int from = 0; from <= static_cast<int>(StepState::compensation_failed); ++from)
        for (int to = 0; to <= static_cast<int>(StepState::compensation_failed); ++to)
            for (int cause = 0; cause <= static_cast<int>(Cause::undo_failed); ++cause) {
                if (from != 0 || find_transition(StepState{from}, StepState{to}, Cause{cause}) != nullptr) continue;
                RunState fresh("r-1", plan({step("a")}), types());
                ASSERT_TRUE(fresh.fold({.position = 1,
                                        .run = "r-1",
                                        .epoch = 1,
                                        .kind = std::string(events::run_started),
                                        .body = started({}, Moment{}).body}));
                const Draft draft = events::moved({.step = "a", .to = StepState{to}, .cause = Cause{cause}}, Moment{});
                EXPECT_FALSE(
                    fresh.fold({.position = 2, .run = "r-1", .epoch = 1, .kind = draft.kind, .body = draft.body}));
            }
}

TEST_F(Fold, RefusesAnIntentOfACheckAndAnEffectWithoutIntent) {
    ASSERT_TRUE(move("a", StepState::ready, Cause::needs_met));
    expect_corrupt(move("a", StepState::running, Cause::dispatched), "exactly if it is dispatched");
}

TEST_F(Fold, RefusesAnIntentWithoutAnEffect) {
    ASSERT_TRUE(move("c", StepState::ready, Cause::needs_met));
    expect_corrupt(move("c", StepState::running, Cause::dispatched, true), "no effect to intend");
}

TEST_F(Fold, RefusesToWaitForNothing) {
    ASSERT_TRUE(move("a", StepState::ready, Cause::needs_met));
    expect_corrupt(move("a", StepState::waiting, Cause::gate_opened), "waits, for nothing");
}

TEST_F(Fold, RefusesUnknownSteps) {
    expect_corrupt(move("z", StepState::ready, Cause::needs_met), "names no step");
}

TEST_F(Fold, RefusesAnOldEpoch) {
    ASSERT_TRUE(add(events::claimed("two", Moment{}), 3));
    expect_corrupt(add(events::claimed("one", Moment{}), 2), "epoch has passed");
}

TEST_F(Fold, RefusesToFoldAnEntryTwice) {
    --position;
    expect_corrupt(add(events::claimed("one", Moment{})), "folded before");
}

TEST_F(Fold, RefusesASecondBeginningAndAnUnknownKind) {
    expect_corrupt(add(started({}, Moment{})), "begins once");
    expect_corrupt(add({"dance", Json::object(), Moment{}}), "no kind of entry");
}

TEST_F(Fold, RefusesAnEntryOfAnotherRun) {
    expect_corrupt(state.fold({.position = 9, .run = "r-2", .epoch = 1, .kind = "step"}), "another run");
}

TEST_F(Fold, RefusesPhasesThatDoNotFollow) {
    expect_corrupt(add(events::phase(RunPhase::ended, "", Moment{}, RunResult::succeeded)), "cannot be ended");
    ASSERT_TRUE(add(events::phase(RunPhase::compensating, "", Moment{})));
    expect_corrupt(add(events::phase(RunPhase::running, "", Moment{})), "cannot be running");
    ASSERT_TRUE(add(events::phase(RunPhase::holding, "", Moment{})));
    expect_corrupt(add(events::phase(RunPhase::running, "", Moment{})), "cannot be running");
    ASSERT_TRUE(add(events::phase(RunPhase::compensating, "", Moment{})));
    ASSERT_TRUE(add(events::phase(RunPhase::finishing, "", Moment{})));
    expect_corrupt(add(events::phase(RunPhase::ended, "", Moment{})), "an end without a result");
}

TEST_F(Fold, RefusesWhatComesAfterTheEnd) {
    ASSERT_TRUE(add(events::phase(RunPhase::finishing, "", Moment{})));
    ASSERT_TRUE(add(events::phase(RunPhase::ended, "", Moment{}, RunResult::succeeded)));
    expect_corrupt(add(events::claimed("two", Moment{})), "had ended");
}

TEST(Transitions, HaveOneRowEachAndLeadOnlyWhereTheyMay) {
    for (const Transition& row : step_transitions) {
        EXPECT_EQ(find_transition(row.from, row.to, row.cause), &row);
        EXPECT_FALSE(row.says.empty());
    }
}

// How many decisions a step costs, and what a decision costs, for plans of any length.
struct Cost {
    double decisions, entries, microseconds;
};
Cost cost_of(BoundPlan bound) {
    const auto count = static_cast<double>(bound.steps.size());
    Stage stage(std::move(bound));
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(stage.play_to_end());
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
    return {static_cast<double>(stage.decisions()) / count, static_cast<double>(stage.journal().size()) / count,
            took.count() / count};
}

TEST(Cost, OfAStepIsTheSameInALongPlan) {
    for (BoundPlan (*shape)(std::size_t) : {&chain, &fan_out}) {
        const Cost few = cost_of(shape(100)), many = cost_of(shape(10'000));
        EXPECT_LE(many.entries, few.entries * 1.1);
        EXPECT_LE(many.decisions, few.decisions * 1.1);
        std::printf("%.1f decisions, %.1f entries, %.0f us a step; of 100: %.0f us\n", many.decisions, many.entries,
                    many.microseconds, few.microseconds);
    }
}

TEST(Cost, OfGoingBackIsTheSameInALongPlan) {
    const auto failing = [](std::size_t count) {
        BoundPlan bound = chain(count);
        bound.steps.push_back(
            step("last", {.action = "check", .needs = {fmt::format("s{}", count - 1)}, .deadline = 1s}));
        return bound;
    };
    const Cost few = cost_of(failing(100)), many = cost_of(failing(5'000));
    EXPECT_LE(many.entries, few.entries * 1.1);
    EXPECT_LE(many.microseconds, few.microseconds * 20);
}

}  // namespace
}  // namespace kedge
