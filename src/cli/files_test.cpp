// Commands over files alone: estates, plans, and a state directory without a journal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/files_for_tests.h"

namespace kedge {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(EstateShow, ListsTargetsPeopleAndServices) {
    const OfficeWorld world;
    const Outcome outcome = world.run("estate show");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    for (const char* text : {"office", "board", "channel", "armed", "ada", "news", "critical"})
        EXPECT_THAT(outcome.out, HasSubstr(text));
    EXPECT_EQ(world.run("estate show --names").out, "board\n");
    const Json json = world.run("estate show --json").json();
    EXPECT_EQ(get_string(json, "kind"), "Estate");
    EXPECT_EQ(get(get(json, "item"), "targets").size(), 1u);
}

TEST(EstateShow, SaysWhereItLookedForOne) {
    CliWorld world;
    world.environment.erase("KEDGE_ESTATE");
    const Outcome outcome = world.run("estate show");
    EXPECT_EQ(outcome.code, 4);
    EXPECT_THAT(outcome.errors, HasSubstr(".config/kedge/estate.yaml"));
    EXPECT_THAT(outcome.errors, HasSubstr("--estate FILE"));
}

TEST(EstateCheck, NamesEveryMistakeWithItsPlace) {
    OfficeWorld world;
    world.write("plans/estate.yaml", "estate: office\nregionz: {}\ntargets:\n  board: {kind: channel, driver: fiel}\n");
    const Outcome outcome = world.run("estate check");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors, HasSubstr("estate.yaml:2:1"));
    EXPECT_THAT(outcome.errors, HasSubstr("regions"));
    EXPECT_EQ(outcome.out, "");
    const Outcome json = world.run("estate check --json");
    EXPECT_EQ(json.code, 3);
    EXPECT_GE(get(*parse_json(json.errors), "errors").size(), 2u);
}

TEST(EstateCheck, DoesNotCallAnUnknownPromiseKept) {
    const OfficeWorld world;
    const Outcome outcome = world.run("estate check");
    EXPECT_THAT(outcome.out, HasSubstr("valid"));
    const Json json = world.run("estate check --json").json();
    EXPECT_EQ(get_bool(get(json, "item"), "all_hold").value_or(true) ? 0 : 13, outcome.code);
}

TEST(PlanList, ShowsPlansAndWhichReviewIsOverdue) {
    const OfficeWorld world;
    const Outcome outcome = world.run("plan list");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("2020-01-01 overdue"));
    EXPECT_THAT(outcome.out, HasSubstr("2099-01-01"));
    EXPECT_THAT(outcome.out, Not(HasSubstr("2099-01-01 overdue")));
    EXPECT_EQ(world.run("plan list --names").out, "asking\ntell\n");
    EXPECT_EQ(get(world.run("plan list --json").json(), "items").size(), 2u);
}

TEST(PlanList, WarnsOfAPlanThatCannotBeRead) {
    const OfficeWorld world;
    world.write("plans/broken.yaml", "plan: broken\nsteps: 7\n");
    const Outcome outcome = world.run("plan list");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.errors, HasSubstr("broken.yaml is not a valid plan"));
}

TEST(PlanShow, ReadsAsARunbook) {
    const OfficeWorld world;
    const Outcome outcome = world.run({"plan", "show", "tell", "-i", "what=rain"});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("post it in board"));
    EXPECT_THAT(world.run("plan show tell --format markdown").out, HasSubstr("# "));
    EXPECT_EQ(get_string(world.run("plan show tell --json").json(), "kind"), "Runbook");
}

TEST(PlanShow, SaysWhichPlanIsNear) {
    const OfficeWorld world;
    const Outcome outcome = world.run("plan show tel");
    EXPECT_EQ(outcome.code, 4);
    EXPECT_THAT(outcome.errors, HasSubstr("did you mean `tell`?"));
    EXPECT_EQ(world.run("plan show tell -i waht=x").code, 3);
    EXPECT_EQ(world.run("plan show ./nowhere.yaml").code, 4);
}

TEST(PlanValidate, EndsWithThreeAndSaysWhere) {
    const OfficeWorld world;
    EXPECT_EQ(world.run("plan validate").code, 0);
    const std::string path = world.write("plans/bad.yaml", R"(plan: bad
summary: Bad.
owner: Ada
review-by: 2099-01-01
steps:
  - id: tell
    do: channel.anounce
    on: board
    with: {title: x}
)");
    const Outcome outcome = world.run({"plan", "validate", path});
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors, HasSubstr("bad.yaml:7:"));
    EXPECT_THAT(outcome.errors, HasSubstr("channel.announce"));
    EXPECT_EQ(world.run({"plan", "validate", "tell", "-i", "what=x"}).code, 0);
    EXPECT_EQ(world.run({"plan", "validate", "tell", "-i", "waht=x"}).code, 3);
}

TEST(Schemas, AreJson) {
    const CliWorld world;
    for (const char* command : {"plan schema", "estate schema"})
        EXPECT_TRUE(get_string(world.run(command).json(), "$schema").has_value()) << command;
}

TEST(Journal, IsEmptyBeforeTheFirstRun) {
    const OfficeWorld world;
    const Outcome list = world.run("run list");
    EXPECT_EQ(list.code, 0);
    EXPECT_EQ(list.out, "");
    EXPECT_THAT(list.errors, HasSubstr("kedge run start PLAN"));
    EXPECT_EQ(world.run("run list --quiet").errors, "");
    EXPECT_TRUE(get(world.run("run list --json").json(), "items").empty());
    for (const char* command : {"run show r-1", "run watch r-1", "run report r-1", "run approve r-1 start",
                                "run pause r-1", "run resume r-1", "journal verify", "journal show", "journal export"})
        EXPECT_EQ(world.run(command).code, 4) << command;
}

TEST(Doctor, SaysWhatItFound) {
    const OfficeWorld world;
    const Outcome outcome = world.run("doctor");
    EXPECT_EQ(outcome.code, 0) << outcome.out;
    EXPECT_THAT(outcome.out, HasSubstr("the login 'ada' is ada"));
    EXPECT_EQ(get_string(world.run("doctor --json").json(), "kind"), "Examination");
}

TEST(Access, ListsTheRightsOfAPlan) {
    const OfficeWorld world;
    EXPECT_EQ(world.run("access explain asking").code, 0);
    EXPECT_EQ(world.run("access explain tell").code, 3);
    EXPECT_EQ(world.run("access explain nothing").code, 4);
}

TEST(Lab, ListsItsFaultsAndRefusesWrongOnes) {
    const CliWorld world;
    EXPECT_THAT(world.run("lab break").out, HasSubstr("region-killed"));
    const Outcome outcome = world.run("lab break region-kiled us-east-1 --name nothing-like-it");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors, HasSubstr("region-killed"));
    EXPECT_EQ(world.run("lab heal --name nothing-like-it").code, 3);
    EXPECT_EQ(world.run("lab status --name nothing-like-it").code, 4);
    EXPECT_EQ(world.run("lab status --name ../../etc").code, 3);
}

}  // namespace
}  // namespace kedge
