// Plans with a mistake in them. One that would break a promise is refused before anything is tried, so that no disaster
// needs to show it; one that only cannot do what it is for is found by disasters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "actions/action.h"
#include "estate/parse.h"
#include "plan/bind.h"
#include "plan/parse.h"
#include "sim/shipped_plans_for_tests.h"
#include "sim/survey.h"

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

// Disasters in which nothing goes wrong but the loss of the region.
Survey survey_of(const Programme& programme) {
    return make_survey(programme, {.disasters = 30, .trial = {.no_faults = true}});
}

TEST(MistakenPlan, WithADeadlineShorterThanItsStepNeedsIsFoundByDisasters) {
    const std::string file = file_of("deadline-too-short");
    const auto plan = parse_plan(file, read_source(file));
    ASSERT_TRUE(plan) << plan.mistakes().lines().front();
    const ShippedUse failover{"regional-failover", regions};
    const Programme shipped = programme_of(failover);
    const auto programme = make_programme(*plan, shipped.assignment.estate(), shipped.assignment.lab_root, regions);
    ASSERT_TRUE(programme) << programme.error().message;

    const Survey survey = survey_of(*programme);
    EXPECT_EQ(survey.broken, 0U) << "it stops in the open";
    EXPECT_LT(survey.answered_alone, survey.alone);
    EXPECT_FALSE(survey.objectives_met());
    EXPECT_THAT(as_text(survey), HasSubstr(" at one-master (refused)"));
    std::string told;
    for (std::uint64_t seed = 1; seed <= survey.disasters && told.empty(); ++seed)
        if (const Outcome one = try_once(*programme, seed, {.no_faults = true, .tell = true}); !one.failed_at.empty())
            told = one.story;
    EXPECT_THAT(told, HasSubstr("step one-master is failed: refused; 2 nodes say they are master"));
}

Programme mistaken_recovery(const std::string& name) {
    const std::string file = file_of(name);
    const ShippedUse use{"redis-recovery", {{"region", "us-east-1"}, {"replica", "us-west-2"}, {"name", "copy"}}};
    const Programme shipped = programme_of(use);
    const auto plan = parse_plan(file, read_source(file));
    EXPECT_TRUE(plan) << plan.mistakes().lines().front();
    auto programme = make_programme(*plan, shipped.assignment.estate(), shipped.assignment.lab_root, use.inputs);
    EXPECT_TRUE(programme) << programme.error().message;
    return std::move(*programme);
}

TEST(MistakenPlan, ThatDoesNotHoldTheSentinelsIsFoundByDisasters) {
    const Survey survey = survey_of(mistaken_recovery("sentinels-not-held"));
    EXPECT_EQ(survey.broken, 0U) << "it stops in the open";
    EXPECT_EQ(survey.answered_alone, 0U);
    EXPECT_THAT(as_text(survey), HasSubstr(" at hold-writes (refused)"));
}

// Nothing else keeps the master from leading with what it was to replace.
TEST(MistakenPlan, ThatDoesNotCheckThatAllIsLoadedIsKeptBackByTheActionThatLeads) {
    const Programme programme = mistaken_recovery("leads-before-it-is-loaded");
    const Survey survey = make_survey(programme, {.disasters = 300, .trial = {}});
    EXPECT_EQ(survey.broken, 0U) << as_text(survey);
    EXPECT_GT(survey.recovered, 100U);
}

TEST(ShippedPlans, NeedNoHelpWhereNothingElseGoesWrong) {
    for (const ShippedUse& use : shipped_uses()) {
        const Programme programme = programme_of(use);
        const Survey survey = survey_of(programme);
        EXPECT_TRUE(survey.objectives_met()) << name_of(use) << "\n" << as_text(survey);
        if (survey.failed_at.empty()) continue;
        for (std::uint64_t seed = 1; seed <= survey.disasters; ++seed) {
            const Outcome outcome = try_once(programme, seed, {.no_faults = true, .tell = true});
            if (outcome.failed_at.empty()) continue;
            ADD_FAILURE() << name_of(use) << ", seed " << seed << "\n" << outcome.story;
            break;
        }
    }
}

TEST(PastRuns, MakeAStepTakeAsLongAsItDid) {
    const Programme models = programme_of({"regional-failover", regions});
    const auto plan = parse_plan("plan", models.assignment.pinned->plan_text);
    const std::map<std::string, Span> took{{"canary", 20s}, {"fence", 1us}, {"no-such-step", 1h}};
    const auto measured = make_programme(*plan, models.assignment.estate(), models.assignment.lab_root, regions, took);
    ASSERT_TRUE(measured) << measured.error().message;
    EXPECT_THAT(measured->measured, testing::UnorderedElementsAre("canary", "fence"));
    EXPECT_GT(measured->length, models.length + 15s);
    const Survey survey = survey_of(*measured);
    for (const StepShare& share : survey.steps)
        if (share.id == "canary") {
            EXPECT_NEAR(seconds(share.takes.at_percentile(50)), 20, 1.5);
        }
    EXPECT_THAT(as_text(survey), HasSubstr("step durations: 2 of"));
    EXPECT_THAT(as_text(survey_of(models)), HasSubstr("no past run of this plan was measured"));
}

}  // namespace
}  // namespace kedge::sim
