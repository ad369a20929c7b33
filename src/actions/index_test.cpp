// What the actions on an index make of what it says.
#include <gtest/gtest.h>

#include "actions/action.h"

namespace kedge {
namespace {

constexpr const char* key = "r-1/rebuild";

// An index that answers as the test says.
class GivenIndex final : public Index {
public:
    IndexLook seen{.reachable = Truth::yes, .mode = IndexMode::degraded, .entries = 10, .says = "as given"};
    Result<IndexSample> found =
        IndexSample{.rows = 1000, .entries = 1000, .asked = 100, .found = 100, .looked_up = 100, .stale = 0};
    std::string asked_for;

    Result<IndexLook> look(Moment) override { return seen; }
    Result<void> set_mode(IndexMode mode, Moment) override {
        seen.mode = mode;
        return {};
    }
    Result<void> rebuild(const std::string& job, Moment) override {
        asked_for = job;
        return {};
    }
    Result<IndexSample> sample(std::int64_t, Moment) override { return found; }
};

class IndexActions : public testing::Test {
protected:
    IndexActions() {
        auto made = std::make_unique<GivenIndex>();
        index_ = made.get();
        targets_.indexes["words"] = std::move(made);
    }
    Call call() const {
        return {.targets = targets_,
                .target = "words",
                .with = Json{{"sample", 100}, {"recall", 0.99}, {"differ", 0.01}, {"stale", 0}},
                .key = key,
                .accepted = accepted_};
    }
    Look look(const char* action) const { return find_action(action)->look(call()).value(); }
    Look look_at_job(JobState state, std::string name = key) const {
        index_->seen.job = {.name = std::move(name), .state = state, .done = 400, .total = 1000, .per_second = 100.0};
        return look("index.rebuild");
    }

    Targets targets_;
    GivenIndex* index_ = nullptr;
    bool accepted_ = false;
};

TEST_F(IndexActions, DegradedModeIsOwedAndPaidByServing) {
    EXPECT_EQ(find_action("index.degrade")->type.owes.front().name, find_action("index.serve")->type.pays.front());
    EXPECT_EQ(look("index.degrade").done, Truth::yes);
    index_->seen.mode = IndexMode::serving;
    EXPECT_EQ(look("index.degrade").done, Truth::no);
    EXPECT_EQ(look("index.degrade").allowed, Truth::yes);
    ASSERT_TRUE(find_action("index.degrade")->apply(call()));
    EXPECT_EQ(index_->seen.mode, IndexMode::degraded);
}

TEST_F(IndexActions, OfAnIndexThatDoesNotSayItsModeNothingIsDone) {
    index_->seen.mode.reset();
    for (const char* action : {"index.degrade", "index.rebuild", "index.serve", "index.serve-again"}) {
        EXPECT_EQ(look(action).done, Truth::unknown) << action;
        EXPECT_NE(look(action).allowed, Truth::yes) << action;
    }
}

TEST_F(IndexActions, NothingIsBuiltThatWouldServeUnchecked) {
    EXPECT_EQ(look("index.rebuild").allowed, Truth::yes);
    index_->seen.mode = IndexMode::serving;
    EXPECT_EQ(look("index.rebuild").allowed, Truth::no);
    EXPECT_EQ(look_at_job(JobState::died).allowed, Truth::no);
}

TEST_F(IndexActions, TheJobIsNamedAfterTheStepOfTheRun) {
    ASSERT_TRUE(find_action("index.rebuild")->apply(call()));
    EXPECT_EQ(index_->asked_for, key);
}

TEST_F(IndexActions, AJobThatRunsSaysHowFarItIsAndHowLongItTakes) {
    accepted_ = true;
    const Look seen = look_at_job(JobState::running);
    EXPECT_EQ(seen.done, Truth::no);
    EXPECT_DOUBLE_EQ(seen.progress.value_or(0), 0.4);
    EXPECT_FALSE(seen.cut_off);
    EXPECT_NE(seen.says.find("400 of 1000 rows, the others take roughly 6.0 s"), std::string::npos) << seen.says;
    index_->seen.job.per_second.reset();
    EXPECT_NE(look("index.rebuild").says.find("how long the others take is unknown"), std::string::npos);
    EXPECT_EQ(look_at_job(JobState::finished).done, Truth::yes);
}

TEST_F(IndexActions, AControllerThatFollowsAnotherTakesItsJobOn) {
    EXPECT_EQ(look_at_job(JobState::running).allowed, Truth::yes) << "asked for again, it is left alone";
}

TEST_F(IndexActions, AJobThatDiedIsAskedForAgain) {
    EXPECT_FALSE(look_at_job(JobState::died).cut_off) << "nobody had asked for it yet";
    accepted_ = true;
    EXPECT_TRUE(look_at_job(JobState::died).cut_off);
    EXPECT_TRUE(look_at_job(JobState::finished, "r-0/rebuild").cut_off) << "there is no trace of it";
}

TEST_F(IndexActions, TheJobOfAnotherRunIsWaitedForAndCountsForNothing) {
    const Look other = look_at_job(JobState::running, "r-0/rebuild");
    EXPECT_EQ(other.done, Truth::no);
    EXPECT_EQ(other.allowed, Truth::no);
    const Look before = look_at_job(JobState::finished, "r-0/rebuild");
    EXPECT_EQ(before.done, Truth::no) << "the database may have been restored since";
    EXPECT_EQ(before.allowed, Truth::yes);
}

TEST_F(IndexActions, AnIndexIsHeldAgainstItsSourceBothWays) {
    EXPECT_EQ(look("index.check").done, Truth::yes);
    index_->found->found = 98;
    EXPECT_EQ(look("index.check").done, Truth::no);
    index_->found->found = 99;
    EXPECT_EQ(look("index.check").done, Truth::yes);
    for (const std::int64_t entries : {989, 1011}) {
        index_->found->entries = entries;
        EXPECT_EQ(look("index.check").done, Truth::no) << entries;
    }
    index_->found->entries = 1010;
    EXPECT_EQ(look("index.check").done, Truth::yes);
    index_->found->stale = 1;
    EXPECT_EQ(look("index.check").done, Truth::no) << "one that finds what was erased";
}

TEST_F(IndexActions, WhereNothingCouldBeAskedNothingIsProved) {
    index_->found = Error{Fault::unavailable, "no server takes writes"};
    EXPECT_EQ(look("index.check").done, Truth::unknown);
    EXPECT_EQ(look("index.check").says, "no server takes writes");
    index_->found = IndexSample{};
    EXPECT_EQ(look("index.check").done, Truth::unknown) << "of no rows every share is found";
}

TEST_F(IndexActions, OnlyWhatThisRunHasCheckedServes) {
    Call asked = call();
    const auto look_now = [&] { return find_action("index.serve")->look(asked).value(); };
    EXPECT_EQ(look_now().allowed, Truth::no);
    asked.facts = {{.step = "check", .action = "index.check", .target = "words", .succeeded = false}};
    EXPECT_EQ(look_now().allowed, Truth::no) << "left out is not checked";
    asked.facts[0].succeeded = true;
    EXPECT_EQ(look_now().allowed, Truth::yes);
    ASSERT_TRUE(find_action("index.serve")->apply(asked));
    EXPECT_EQ(look_now().done, Truth::yes);
    index_->seen.mode = IndexMode::degraded;
    EXPECT_EQ(look("index.serve-again").allowed, Truth::yes) << "what was there before, when nothing was built";
}

}  // namespace
}  // namespace kedge
