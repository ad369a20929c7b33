// Every shipped plan, bound to every shipped estate that it fits, with the actions that there really are: a plan
// that could not start tonight fails here.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "actions/action.h"
#include "estate/parse.h"
#include "plan/bind.h"
#include "plan/parse.h"
#include "plan/render.h"

namespace kedge {
namespace {

using Inputs = std::map<std::string, std::string>;

std::string read_source(const std::string& path) {
    std::ifstream file{KEDGE_SOURCE_DIR "/" + path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

Plan plan_named(const std::string& name) {
    const std::string path = "plans/aragora/" + name + ".yaml";
    auto plan = parse_plan(path, read_source(path));
    EXPECT_TRUE(plan) << plan.mistakes().lines().front();
    return *plan;
}

const Estate& lab() {
    static const Estate estate =
        *parse_estate("lab.yaml", read_source("plans/aragora/lab.yaml"), {.lab_root = "/var/tmp/kedge-lab-0"});
    return estate;
}

struct Use {
    std::string plan;
    Inputs inputs;
    std::vector<std::string> changes;
};

const std::vector<Use> uses{
    {"regional-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}}, {"api", "aragora-postgres", "aragora-redis"}},
    {"regional-failover",
     {{"from", "us-east-1"}, {"to", "us-west-2"}, {"scale", "true"}},
     {"api", "aragora-api", "aragora-postgres", "aragora-redis"}},
    {"regional-failback",
     {{"from", "us-west-2"}, {"to", "us-east-1"}, {"soak", "10s"}, {"patience", "2m"}},
     {"api", "aragora-api", "aragora-postgres", "aragora-redis"}},
    {"regional-failback",
     {{"from", "us-west-2"}, {"to", "us-east-1"}, {"old-primary", "standby"}},
     {"api", "aragora-api", "aragora-postgres", "aragora-redis"}},
    {"database-failover",
     {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}},
     {"aragora-api", "aragora-postgres"}},
    {"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "forced"}}, {"aragora-postgres"}},
    {"redis-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}, {"aragora-redis"}},
    {"redis-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "forced"}}, {"aragora-redis"}},
    {"post-failover-verification", {{"region", "us-west-2"}}, {"aragora-postgres", "aragora-redis"}},
    {"traffic-shift", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"share", "10"}}, {"api"}},
    {"daily-verification", {}, {"backups"}},
    {"weekly-verification", {}, {"backups"}},
    {"point-in-time-recovery", {{"to", "latest"}, {"name", "copy"}}, {"aragora-postgres"}},
    {"full-restore", {{"to", "latest"}, {"name", "copy"}}, {"aragora-postgres"}},
    {"promote-recovery",
     {{"name", "copy"}, {"region", "us-east-1"}, {"standby", "us-west-2"}, {"schema", "3"}},
     {"aragora-api", "aragora-postgres", "aragora-schema", "backups"}},
    {"exchange-database",
     {{"name", "copy"}, {"region", "us-east-1"}, {"standby", "us-west-2"}, {"schema", "3"}},
     {"aragora-api", "aragora-postgres", "aragora-schema", "backups"}},
    {"application-rollback", {{"release", "1.0.0"}, {"region", "us-east-1"}, {"other", "us-west-2"}}, {"aragora-api"}},
    {"schema-rollback",
     {{"version", "1"}, {"region", "us-east-1"}, {"other", "us-west-2"}},
     {"aragora-api", "aragora-postgres", "aragora-schema"}},
    {"knowledge-index-rebuild", {{"region", "us-east-1"}}, {"aragora-knowledge"}},
    {"redis-recovery",
     {{"region", "us-east-1"}, {"replica", "us-west-2"}, {"name", "copy"}},
     {"aragora-api", "aragora-redis"}},
};

TEST(ShippedPlans, BindToTheLab) {
    for (const Use& use : uses) {
        const Plan plan = plan_named(use.plan);
        const auto bound = bind_plan(plan, use.inputs, lab(), catalogue());
        ASSERT_TRUE(bound) << bound.mistakes().error().message;
        EXPECT_EQ(bound->targets, use.changes) << use.plan;
        EXPECT_TRUE(unarmed_targets(*bound, lab()).empty()) << use.plan;
    }
}

// A probe that a plan asks for is one that the estate declares.
TEST(ShippedPlans, AskForProbesThatThereAre) {
    for (const Use& use : uses) {
        const Plan plan = plan_named(use.plan);
        const auto bound = bind_plan(plan, use.inputs, lab(), catalogue());
        ASSERT_TRUE(bound);
        const Json probes = lab().target("aragora-api")->settings.section("probes").json();
        for (const BoundStep& step : bound->steps) {
            if (step.type == nullptr || step.type->name != "application.probe") continue;
            EXPECT_TRUE(probes.contains(get_string(step.with, "probe").value_or("")))
                << use.plan << ": " << dump(step.with);
        }
    }
}

// So is a backup policy.
TEST(ShippedPlans, AskForBackupPoliciesThatThereAre) {
    std::size_t asked = 0;
    for (const Use& use : uses) {
        const Plan plan = plan_named(use.plan);
        const auto bound = bind_plan(plan, use.inputs, lab(), catalogue());
        ASSERT_TRUE(bound);
        for (const BoundStep& step : bound->steps) {
            if (step.type == nullptr || !step.type->name.starts_with("backup.")) continue;
            EXPECT_NE(lab().backup(get_string(step.with, "policy").value_or("")), nullptr) << dump(step.with);
            ++asked;
        }
    }
    EXPECT_GT(asked, 20u);
}

TEST(ShippedPlans, AnswerAllTenPointsOfTheVerificationChecklist) {
    const Plan plan = plan_named("post-failover-verification");
    for (int point = 1; point <= 10; ++point)
        EXPECT_TRUE(std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
            return step.title.starts_with(std::to_string(point) + ". ");
        })) << point;
}

// Each can be finished by hand: every step says what a person types.
TEST(ShippedPlans, SayWhatToDoByHand) {
    for (const Use& use : uses) {
        const Runbook runbook = runbook_of(plan_named(use.plan), catalogue(), {.inputs = use.inputs});
        for (const auto* parts : {&runbook.steps, &runbook.at_the_end})
            for (const RunbookPart& part : *parts)
                EXPECT_FALSE(part.by_hand.empty()) << use.plan << ": " << part.heading;
        EXPECT_GT(as_markdown(runbook).size(), 1000u);
    }
}

}  // namespace
}  // namespace kedge
