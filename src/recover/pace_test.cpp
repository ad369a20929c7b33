#include "recover/pace.h"

#include <gtest/gtest.h>

#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

class PaceHere : public testing::Test {
protected:
    void note(Work work, double bytes_a_second, Span took = 10s) {
        ASSERT_TRUE(note_pace(state, work, static_cast<std::uint64_t>(bytes_a_second * seconds(took)), took));
    }
    Pace here() const { return pace_here(state); }

    ScratchDirectory directory;
    const std::string state = directory.path();
};

TEST_F(PaceHere, IsThatOfOthersUntilSomethingLargeWasRecovered) {
    EXPECT_FALSE(here().log.are_measured || here().dump_is_measured);
    note(Work::dump, 1e6, 4s);
    EXPECT_FALSE(here().dump_is_measured) << "servers were started, and little else";
    EXPECT_EQ(here().dump_bytes, Pace{}.dump_bytes);
    note(Work::dump, 1e6, 5s);
    EXPECT_TRUE(here().dump_is_measured);
    EXPECT_DOUBLE_EQ(here().dump_bytes, 1e6);
}

TEST_F(PaceHere, IsTheMedianOfTheLastFive) {
    for (const double rate : {900e6, 800e6, 10e6, 30e6, 20e6, 500e6, 40e6}) note(Work::copy, rate);
    EXPECT_DOUBLE_EQ(here().log.copy_bytes, 30e6);
    EXPECT_EQ(here().log.replay_bytes, Pace{}.log.replay_bytes);
    EXPECT_FALSE(here().log.are_measured) << "half of it is not";
    note(Work::replay, 7e6);
    EXPECT_TRUE(here().log.are_measured);
}

TEST_F(PaceHere, BeginsAnewWhereWhatIsRememberedCannotBeRead) {
    for (const char* spoiled : {"{\"dump\": [", "[1]", "{\"dump\": {\"a\": 1}}", "{\"dump\": [\"fast\", -1]}"}) {
        ASSERT_TRUE(write_file_atomically(state + "/recovery-pace.json", spoiled));
        EXPECT_FALSE(here().dump_is_measured) << spoiled;
        note(Work::dump, 3e6);
        EXPECT_DOUBLE_EQ(here().dump_bytes, 3e6) << spoiled;
    }
}

}  // namespace
}  // namespace kedge::recover
