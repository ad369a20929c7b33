// plan test and drill tabletop, as the operator types them, on the plans and the estate that ship.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cli/cli_world.h"

namespace kedge {
namespace {

using testing::HasSubstr;

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// A machine with the shipped plans beside the lab's estate.
class PlansWorld : public CliWorld {
public:
    PlansWorld() { environment["KEDGE_ESTATE"] = shipped + "lab.yaml"; }
    const std::string shipped = KEDGE_SOURCE_DIR "/plans/aragora/";
    const std::string failover = shipped + "regional-failover.yaml";
};

TEST(PlanTest, TellsHowDisastersCameOutAndHowLongTheyTook) {
    const PlansWorld world;
    const Outcome outcome = world.run({"plan", "test", world.failover, "--disasters", "20"});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.errors;
    for (const char* text : {"20 disasters of regional-failover", "recovered", "stopped safely", "broke a promise",
                             "RTO from the fault", "objective (critical)", "where the time goes", "step durations"})
        EXPECT_THAT(outcome.out, HasSubstr(text));
    EXPECT_EQ(world.run({"plan", "test", world.failover, "--disasters", "20"}).out, outcome.out)
        << "the same seeds, the same disasters";
    EXPECT_NE(world.run({"plan", "test", world.failover, "--disasters", "20", "--seed", "100"}).out, outcome.out);
}

TEST(PlanTest, AnswersPrograms) {
    const PlansWorld world;
    const Outcome outcome = world.run({"plan", "test", world.failover, "--disasters", "10", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_EQ(get_string(outcome.json(), "kind"), "PlanTest");
    const Json item = get(outcome.json(), "item");
    EXPECT_EQ(get_integer(item, "disasters"), 10);
    EXPECT_EQ(get_integer(item, "broken"), 0);
    EXPECT_EQ(get_bool(get(item, "objectives"), "met"), true);
    EXPECT_GT(get(item, "faults").size(), 40U);
    EXPECT_TRUE(get_number(get(item, "rto_from_onset"), "p95_seconds"));
}

// What opens closes, in its order; the plots have bars.
TEST(PlanTest, WritesAPageWithPlots) {
    const PlansWorld world;
    const std::string page = world.directory + "/report.html";
    ASSERT_EQ(world.run({"plan", "test", world.failover, "--disasters", "10", "--html", page}).code, 0);
    const std::string html = text_of(page);
    EXPECT_THAT(html, testing::StartsWith("<!doctype html>"));
    std::vector<std::string> open;
    std::size_t bars = 0;
    for (std::size_t at = html.find('<', 1); at != std::string::npos; at = html.find('<', at + 1)) {
        const std::string tag = html.substr(at + 1, html.find('>', at) - at - 1);
        const std::string name = tag.substr(0, tag.find(' '));
        if (tag.ends_with("/")) {
            bars += name == "rect";
        } else if (name.starts_with("/")) {
            ASSERT_FALSE(open.empty()) << tag;
            ASSERT_EQ("/" + open.back(), name) << "at byte " << at;
            open.pop_back();
        } else if (name != "meta") {
            open.push_back(name);
        }
    }
    EXPECT_TRUE(open.empty()) << open.back();
    EXPECT_GT(bars, 1U);
    EXPECT_EQ(world.run({"plan", "test", world.failover, "--disasters", "1", "--html", "/nowhere/at/all.html"}).code,
              4);
}

TEST(PlanTest, SaysThatAnObjectiveIsMissed) {
    const PlansWorld world;
    const std::string plan = KEDGE_SOURCE_DIR "/tests/mistaken_plans/deadline-too-short.yaml";
    const Outcome outcome = world.run({"plan", "test", plan, "--disasters", "20", "--no-faults"});
    EXPECT_EQ(outcome.code, 13) << outcome.out << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("at one-master (refused)"));
}

TEST(PlanTest, TriesTheRecoveryOfACache) {
    const PlansWorld world;
    const Outcome outcome =
        world.run({"plan", "test", KEDGE_SOURCE_DIR "/plans/aragora/redis-recovery.yaml", "-i", "name=copy", "-i",
                   "region=us-east-1", "-i", "replica=us-west-2", "--disasters", "10"});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("restore"));
}

TEST(PlanTest, RefusesWhatCannotBeTried) {
    const PlansWorld world;
    EXPECT_EQ(world.run({"plan", "test", world.failover, "--disasters", "0"}).code, 3);
    EXPECT_EQ(world.run({"plan", "test", world.failover, "--percentile", "101"}).code, 3);
    EXPECT_EQ(world.run({"plan", "test", "no-such-plan"}).code, 4);
    EXPECT_EQ(world.run({"plan", "test", world.failover, "-i", "nothing=1"}).code, 3);
    const Outcome mistaken = world.run({"plan", "test", KEDGE_SOURCE_DIR "/tests/mistaken_plans/no-fence.yaml"});
    EXPECT_EQ(mistaken.code, 3);
    EXPECT_THAT(mistaken.errors, HasSubstr("second primary"));
}

TEST(DrillTabletop, TellsTheStoryAndWritesTheReport) {
    const PlansWorld world;
    const Outcome outcome = world.run({"drill", "tabletop", world.failover, "--seed", "3"});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("A loss is reported"));
    EXPECT_THAT(outcome.errors, HasSubstr("nobody can be asked here, so it is agreed to"));
    const std::string reports = world.directory + "/state/reports/tabletop-regional-failover-3";
    EXPECT_THAT(text_of(reports + ".md"), HasSubstr("decision about start: agreed"));
    const Result<Json> record = parse_json(text_of(reports + ".json"));
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(get_string(*record, "type"), "tabletop");
}

TEST(DrillTabletop, AsksAtTheTerminalAndTakesANo) {
    PlansWorld world;
    world.terminal = true;
    world.typed = "no\nno\nno\nno\nno\nno\n";
    const Outcome outcome = world.run({"drill", "tabletop", world.failover, "--seed", "3"});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_TRUE(outcome.says("agree? [yes/no]")) << outcome.out;
    EXPECT_THAT(text_of(world.directory + "/state/reports/tabletop-regional-failover-3.md"),
                HasSubstr("decision about start: rejected"));
}

TEST(DrillTabletop, RefusesAPlanThatItDoesNotFind) {
    EXPECT_EQ(PlansWorld().run("drill tabletop no-such-plan").code, 4);
}

}  // namespace
}  // namespace kedge
