// recover stranded without anything that was kept. What it brings back is tried in the lab, where a region was cut off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_world.h"

namespace kedge {
namespace {

using testing::HasSubstr;

TEST(RecoverStranded, SaysThatNothingWasKept) {
    CliWorld world;
    const Outcome listed = world.run("recover stranded");
    EXPECT_EQ(listed.code, 0) << listed.errors;
    EXPECT_THAT(listed.errors, HasSubstr("no run has kept"));
    EXPECT_EQ(world.run("recover stranded --json").json()["items"].size(), 0U);
}

TEST(RecoverStranded, OfARunThatIsNotThereMakesNothing) {
    CliWorld world;
    const Outcome refused = world.run("recover stranded r-nobody");
    EXPECT_EQ(refused.code, 4);
    EXPECT_THAT(refused.errors, HasSubstr("r-nobody"));
    EXPECT_EQ(world.run("recover list --json").json()["items"].size(), 0U);
}

}  // namespace
}  // namespace kedge
