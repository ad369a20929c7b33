// Plans with a mistake that would break a promise: they are refused before anything is tried, so that no disaster
// needs to show it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "actions/action.h"
#include "estate/parse.h"
#include "plan/bind.h"
#include "plan/parse.h"
#include "sim/shipped_plans_for_tests.h"

namespace kedge::sim {
namespace {

using testing::HasSubstr;
using Inputs = std::map<std::string, std::string>;
const Inputs regions{{"from", "us-east-1"}, {"to", "us-west-2"}};

std::string file_of(const std::string& name) {
    return "tests/mistaken_plans/" + name + ".yaml";
}

// What is said of it before it runs; empty if nothing is.
std::string refusal_of(const std::string& name, const Inputs& inputs) {
    const auto estate = parse_estate("lab.yaml", read_source("plans/aragora/lab.yaml"), {.lab_root = "/lab"});
    const auto plan = parse_plan(file_of(name), read_source(file_of(name)));
    if (!estate || !plan) return "not read";
    const auto bound = bind_plan(*plan, inputs, *estate, catalogue());
    return bound ? "" : bound.mistakes().lines().front();
}

TEST(MistakenPlan, WithoutAFenceIsRefusedBeforeItRuns) {
    EXPECT_THAT(refusal_of("no-fence", regions), HasSubstr("step `promote` may make a second primary"));
}

TEST(MistakenPlan, WithTrafficBeforeTheCanaryIsRefusedBeforeItRuns) {
    EXPECT_THAT(refusal_of("traffic-before-canary", regions),
                HasSubstr("step `shift` sends users to a database that nobody has written to"));
}

TEST(MistakenPlan, ThatNeverReleasesWritesIsRefusedBeforeItRuns) {
    Inputs inputs = regions;
    inputs["mode"] = "planned";
    EXPECT_THAT(refusal_of("writes-never-released", inputs), HasSubstr("step `hold-from` owes `writes held`"));
}

}  // namespace
}  // namespace kedge::sim
