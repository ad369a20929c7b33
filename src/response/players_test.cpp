// The people of a lab are played by whoever controls the run: what one controller asked, the next one asks again.
#include "response/players.h"

#include <gtest/gtest.h>

#include "actions/action.h"
#include "estate/parse.h"
#include "journal/memory/memory_journal.h"
#include "os/wait.h"
#include "plan/parse.h"
#include "runner/runner.h"
#include "runner/runs.h"

namespace kedge {
namespace {

constexpr std::string_view lab_estate = R"(estate: stage
summary: people of a lab
lab: players
regions:
  east: {says: here}
tiers:
  critical: {rto: 1h, rpo: 5m}
people:
  ada: {full-name: Ada Lind, login: lab-ada, roles: [on-call]}
  ben: {full-name: Ben Roth, login: lab-ben, roles: [approver]}
targets:
  board: {kind: channel, driver: file, armed: true, path: /nowhere/board.jsonl}
)";
constexpr std::string_view asking = R"(plan: asking
summary: Ask before telling.
owner: Ada
review-by: 2099-01-01
gate: {approvals: 1, roles: [approver], says: The board will be told.}
steps:
  - id: tell
    do: channel.announce
    on: board
    with: {title: news}
)";

// A run whose first step waits for an approval.
class Played : public testing::Test {
protected:
    void SetUp() override {
        Result<Estate> estate = parse_estate("estate", lab_estate, {.lab_root = "/nowhere"}).result();
        ASSERT_TRUE(estate) << estate.error().message;
        estate_ = std::move(*estate);
        Result<ControlledRun> begun = start_run(journal_, *parse_plan("plan", asking).result(), estate_,
                                                {.requester = "ada", .played = true}, "first", clock_.now());
        ASSERT_TRUE(begun) << begun.error().message;
        runner_ = std::make_unique<Runner>(journal_, std::move(begun->claim),
                                           Engine(std::move(begun->state), {estate_.people, true}), estate_, targets_,
                                           pool_, clock_);
        ASSERT_TRUE(runner_->turn());
        ASSERT_EQ(state().record(0).state, StepState::waiting);
    }
    const RunState& state() const { return runner_->engine().state(); }

    MemoryJournal journal_{std::make_shared<MemoryStore>()};
    Estate estate_;
    Targets targets_;
    ThreadPool pool_{1};
    SystemClock clock_;
    std::unique_ptr<Runner> runner_;
};

TEST_F(Played, AskOnceHoweverOftenTheyLook) {
    Players players(journal_, estate_, {});
    ASSERT_TRUE(players.play(state()));
    ASSERT_TRUE(players.play(state()));
    const std::vector<Request> inbox = *journal_.inbox(state().id());
    ASSERT_EQ(inbox.size(), 1u);
    EXPECT_EQ(inbox.front().played_as, "ben");
    EXPECT_EQ(inbox.front().verb, "approve");
}

TEST_F(Played, AskTheVerySameUnderTheNextController) {
    ASSERT_TRUE(Players(journal_, estate_, {}).play(state()));
    const Result<void> again = Players(journal_, estate_, {}).play(state());
    ASSERT_TRUE(again) << "what a killed controller had asked is in the inbox: " << again.error().message;
    EXPECT_EQ(journal_.inbox(state().id())->size(), 1u);
}

TEST_F(Played, AreHeardByTheController) {
    ASSERT_TRUE(Players(journal_, estate_, {}).play(state()));
    const Until until = within(std::chrono::seconds{10});
    while (!state().record(0).gate_passed && SystemClock().now() < until.deadline) {
        ASSERT_TRUE(runner_->turn());
        pool_.wait(std::chrono::milliseconds{10});
    }
    EXPECT_TRUE(state().record(0).gate_passed);
    EXPECT_TRUE(journal_.inbox(state().id())->empty());
}

}  // namespace
}  // namespace kedge
