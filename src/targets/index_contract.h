// What every Index must do, whatever drives it: a suite that each driver's tests instantiate with a world of their own,
// the simulator's included.
//
//     INSTANTIATE_TEST_SUITE_P(Command, IndexContract, testing::Values(make_my_world));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "targets/index.h"

namespace kedge {

// An index that serves, whole, as a job `first` has built it; some hundred rows in its source; and the means to break
// it. A job takes long enough to be seen at it.
class IndexWorld {
public:
    virtual ~IndexWorld() = default;
    virtual Index& index() = 0;
    // `span` from now by the world's clock.
    virtual Moment after(Span span) const = 0;
    // Lets time pass until it holds; false if it does not in half a minute.
    virtual bool await(const std::function<bool()>& condition) = 0;
    virtual std::int64_t rows() const = 0;
    // Some of the entries of what serves are gone.
    virtual void lose_entries() = 0;
    // Some of the rows are gone from the source.
    virtual void remove_rows() = 0;
    // The job that runs, if there is one, does nothing more until it may go on.
    virtual void hold_job() = 0;
    virtual void let_job_go_on() = 0;
    // The job that runs (or is held) is gone, from one moment to the next.
    virtual void kill_job() = 0;
    virtual void lose_source() = 0;
};

using MakeIndexWorld = std::function<std::unique_ptr<IndexWorld>()>;

class IndexContract : public testing::TestWithParam<MakeIndexWorld> {
protected:
    IndexLook look() { return index.look(soon()).value(); }
    Moment soon() const { return world->after(std::chrono::seconds{30}); }
    IndexSample sample_all() {
        const auto sample = index.sample(world->rows(), soon());
        EXPECT_TRUE(sample) << sample.error().message;
        return sample.value_or(IndexSample{});
    }
    void start(const std::string& job) {
        const auto started = index.rebuild(job, soon());
        ASSERT_TRUE(started) << started.error().message;
    }
    bool await_state(const std::string& job, JobState state) {
        return world->await([&] {
            const IndexLook seen = look();
            return seen.job.name == job && seen.job.state == state;
        });
    }
    // Until it has built something, and not all: there it is held. It is for looks, too: a job may end while one looks.
    bool await_middle(const std::string& job) {
        return world->await([&] {
            world->hold_job();
            const IndexJob seen = look().job;
            if (seen.name == job && seen.done > 0 && seen.done < seen.total) return true;
            world->let_job_go_on();
            return false;
        });
    }

    std::unique_ptr<IndexWorld> world = GetParam()();
    Index& index = world->index();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(IndexContract);

TEST_P(IndexContract, SaysHowItStandsAndInWhichMode) {
    const IndexLook first = look();
    EXPECT_EQ(first.reachable, Truth::yes) << first.says;
    EXPECT_EQ(first.mode, IndexMode::serving);
    EXPECT_EQ(first.entries, world->rows());
    EXPECT_EQ(first.job.name, "first");
    EXPECT_EQ(first.job.state, JobState::finished);
    EXPECT_FALSE(first.position.empty());
    EXPECT_FALSE(first.says.empty());
    for (const IndexMode mode : {IndexMode::degraded, IndexMode::degraded, IndexMode::serving}) {
        ASSERT_TRUE(index.set_mode(mode, soon()));
        EXPECT_EQ(look().mode, mode);
    }
}

TEST_P(IndexContract, IsBuiltBesideWhatServes) {
    world->lose_entries();
    const auto before = look().entries;
    ASSERT_LT(before, world->rows());
    start("again");
    ASSERT_TRUE(await_middle("again"));
    const IndexLook middle = look();
    EXPECT_EQ(middle.job.state, JobState::running);
    EXPECT_GT(middle.job.per_second.value_or(0), 0);
    EXPECT_EQ(middle.entries, before) << "what is not whole yet does not serve";
    world->let_job_go_on();
    ASSERT_TRUE(await_state("again", JobState::finished));
    const IndexLook after = look();
    EXPECT_EQ(after.job.done, world->rows());
    EXPECT_EQ(after.job.total, world->rows());
    EXPECT_EQ(after.entries, world->rows());
    const IndexSample all = sample_all();
    EXPECT_EQ(all.asked, world->rows());
    EXPECT_EQ(all.found, all.asked);
    EXPECT_EQ(all.stale, 0);
}

TEST_P(IndexContract, AJobThatDiedGoesOnWhereItStopped) {
    start("again");
    ASSERT_TRUE(await_middle("again"));
    world->kill_job();
    ASSERT_TRUE(await_state("again", JobState::died));
    const std::int64_t done = look().job.done;
    EXPECT_GT(done, 0);
    start("again");
    EXPECT_GE(look().job.done, done);
    ASSERT_TRUE(await_state("again", JobState::finished));
    EXPECT_EQ(look().entries, world->rows()) << "nothing twice, nothing left out";
    EXPECT_EQ(sample_all().found, world->rows());
}

TEST_P(IndexContract, OneOfAnotherNameBeginsAnew) {
    start("again");
    ASSERT_TRUE(await_middle("again"));
    world->kill_job();
    ASSERT_TRUE(await_state("again", JobState::died));
    start("another");
    ASSERT_TRUE(await_state("another", JobState::finished));
    EXPECT_EQ(look().entries, world->rows());
}

TEST_P(IndexContract, AJobIsStartedOnceHoweverOftenItIsAskedFor) {
    start("again");
    start("again");
    ASSERT_TRUE(await_middle("again"));
    const auto other = index.rebuild("another", soon());
    ASSERT_FALSE(other) << "one builds it already";
    EXPECT_EQ(other.error().fault, Fault::refused);
    world->let_job_go_on();
    ASSERT_TRUE(await_state("again", JobState::finished));
    start("again");
    EXPECT_EQ(look().job.state, JobState::finished) << "what has finished is not begun again";
}

TEST_P(IndexContract, ASampleFindsWhatIsMissing) {
    world->lose_entries();
    const IndexSample all = sample_all();
    EXPECT_EQ(all.rows, world->rows());
    EXPECT_LT(all.entries, all.rows);
    EXPECT_EQ(all.asked, all.rows);
    EXPECT_EQ(all.found, all.entries);
}

TEST_P(IndexContract, ASampleFindsWhatIsInNoRowAnyMore) {
    const std::int64_t before = world->rows();
    world->remove_rows();
    ASSERT_LT(world->rows(), before);
    const auto all = index.sample(before, soon());
    ASSERT_TRUE(all);
    EXPECT_EQ(all->looked_up, before);
    EXPECT_EQ(all->stale, before - world->rows());
    start("again");
    ASSERT_TRUE(await_state("again", JobState::finished));
    EXPECT_EQ(sample_all().stale, 0);
}

TEST_P(IndexContract, OfASourceThatCannotBeAskedNothingIsKnown) {
    world->lose_source();
    EXPECT_FALSE(index.sample(10, soon()));
    EXPECT_FALSE(index.rebuild("again", soon()));
    EXPECT_NE(look().job.state, JobState::running);
}

}  // namespace kedge
