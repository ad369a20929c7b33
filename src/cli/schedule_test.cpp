// Plans that run by themselves: the units in a directory of the test's own, the runs in a real journal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/files_for_tests.h"
#include "os/files.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// As the simple clock of a test: it stands until it is set.
class SetClock final : public Clock {
public:
    Moment now() const override { return at; }
    Moment at = SystemClock{}.now();
};

// An office whose board people look at, with a plan that succeeds while a switch is on, and one on the board.
class ScheduledOffice : public testing::Test {
protected:
    ScheduledOffice() {
        world_.write("plans/estate.yaml", office_estate(world_.directory) + door_target(world_.directory) +
                                              "  chat: {kind: channel, driver: file, path: " + world_.directory +
                                              "/chat.jsonl}\n");
        world_.write("plans/failing.yaml",
                     "plan: failing\nsummary: Look at a door that nobody answers at.\nowner: Ada\n"
                     "review-by: 2099-01-01\nsteps:\n  - id: look\n    check: traffic.drained\n    on: door\n"
                     "    with: {region: east}\n    deadline: 1s\n");
        fs::create_directories(units());
    }
    std::string units() const { return world_.directory + "/units"; }
    Outcome schedule(const std::string& line) const { return world_.run("schedule " + line + " --units " + units()); }
    bool has_unit(const std::string& name) const { return exists(units() + "/" + name); }
    std::string chat() const {
        const auto text = read_file(world_.directory + "/chat.jsonl");
        return text ? *text : "";
    }

    OfficeWorld world_;
};

TEST_F(ScheduledOffice, HasAPlanRunAtItsTime) {
    const Outcome installed = schedule("install tell -i what=rain --at 06:00 --alert chat");
    ASSERT_EQ(installed.code, 0) << installed.errors;
    EXPECT_THAT(installed.out, HasSubstr("tell runs 06:00 UTC"));
    for (const char* name :
         {"kedge-plan-tell.service", "kedge-plan-tell.timer", "kedge-overdue.service", "kedge-overdue.timer"})
        EXPECT_TRUE(has_unit(name)) << name;
    const std::string service = read_file(units() + "/kedge-plan-tell.service").value();
    EXPECT_THAT(service, HasSubstr("\"/nowhere/kedge\" \"--estate\" \"" + world_.directory + "/plans/estate.yaml\""));
    EXPECT_THAT(service, HasSubstr("\"run\" \"tell\" \"--input\" \"what=rain\""));
    EXPECT_THAT(schedule("list").out, HasSubstr("waiting"));
}

TEST_F(ScheduledOffice, ShowsTheUnitsAndWritesNothing) {
    const Outcome shown = schedule("install tell -i what=rain --at Sun --dry-run");
    EXPECT_EQ(shown.code, 3);
    const Outcome dry = world_.run(
        {"schedule", "install", "tell", "-i", "what=rain", "--at", "Sun 04:00", "--dry-run", "--units", units()});
    EXPECT_EQ(dry.code, 0) << dry.errors;
    EXPECT_THAT(dry.out, HasSubstr("OnCalendar=Sun *-*-* 04:00:00 UTC"));
    EXPECT_TRUE(fs::is_empty(units()));
}

TEST_F(ScheduledOffice, RefusesWhatCannotRunByItself) {
    EXPECT_EQ(schedule("install tell --at 06:00").code, 3);    // an input is missing
    EXPECT_EQ(schedule("install tell -i what=rain").code, 3);  // when?
    EXPECT_EQ(schedule("install asking --at 06:00").code, 7);  // people have to agree
    EXPECT_EQ(schedule("install tell -i what=rain --at 06:00 --alert door").code, 4);
    EXPECT_EQ(schedule("install nothing --at 06:00").code, 4);
    world_.login = "stranger";  // as whom the service would run
    EXPECT_EQ(schedule("install tell -i what=rain --at 06:00").code, 5);
    EXPECT_TRUE(fs::is_empty(units()));
}

TEST_F(ScheduledOffice, TellsPeopleWhenItFailedAndWhenItIsWellAgain) {
    ASSERT_EQ(schedule("install failing --at 06:00 --alert chat").code, 0);
    const Outcome failed = schedule("run failing");
    EXPECT_EQ(failed.code, 7) << failed.errors;
    EXPECT_THAT(failed.errors, HasSubstr("told to chat: written"));
    EXPECT_THAT(chat(), HasSubstr("office: failing failed"));
    const std::string told = chat();
    EXPECT_EQ(schedule("overdue").code, 15);
    EXPECT_EQ(chat(), told) << "nobody is told a second time";
    // The plan is changed so that it succeeds.
    world_.write("plans/failing.yaml",
                 "plan: failing\nsummary: Tell the board.\nowner: Ada\nreview-by: 2099-01-01\nsteps:\n"
                 "  - {id: tell, do: channel.announce, on: board, with: {title: all is well}}\n");
    const Outcome well = schedule("run failing");
    EXPECT_EQ(well.code, 0) << well.errors;
    EXPECT_THAT(chat(), HasSubstr("office: failing is well again"));
    EXPECT_THAT(chat(), HasSubstr(R"("over":true)"));
}

TEST_F(ScheduledOffice, TellsPeopleWhenItDidNotRun) {
    SetClock clock;
    world_.clock = &clock;
    clock.at = parse_moment("2026-11-25T05:00:00Z").value();
    ASSERT_EQ(schedule("install tell -i what=rain --at 06:00 --limit 2h --alert chat").code, 0);
    clock.at = parse_moment("2026-11-25T08:00:00Z").value();
    EXPECT_EQ(schedule("overdue").code, 0);
    EXPECT_EQ(chat(), "");
    clock.at = parse_moment("2026-11-25T08:10:01Z").value();
    EXPECT_EQ(schedule("overdue").code, 15);
    EXPECT_THAT(chat(), HasSubstr("office: tell did not run in time"));
    EXPECT_EQ(schedule("list").code, 15);
    const Json item = get(schedule("list --json").json(), "items").at(0);
    EXPECT_EQ(get_string(item, "standing"), "overdue");
    EXPECT_EQ(get_string(get(item, "told").at(0), "delivery"), "written");
    const std::string told = chat();
    EXPECT_EQ(schedule("overdue").code, 15);
    EXPECT_EQ(chat(), told);
}

TEST_F(ScheduledOffice, SaysThatAPlanDidNotEvenBegin) {
    ASSERT_EQ(schedule("install tell -i what=rain --at 06:00 --alert chat").code, 0);
    fs::remove(world_.directory + "/plans/tell.yaml");
    EXPECT_EQ(schedule("run tell").code, 4);
    EXPECT_THAT(chat(), HasSubstr("it did not begin; exit code 4"));
}

TEST_F(ScheduledOffice, WritesFiguresForPrometheus) {
    ASSERT_EQ(schedule("install failing --at 06:00").code, 0);
    const std::string file = world_.directory + "/kedge.prom";
    EXPECT_EQ(schedule("run failing --metrics-file " + file).code, 7);
    const std::string text = read_file(file).value();
    EXPECT_THAT(text, HasSubstr("kedge_plan_last_run_success{plan=\"failing\"} 0\n"));
    EXPECT_THAT(text, Not(HasSubstr("last_success")));
}

TEST_F(ScheduledOffice, LeavesUnitsOfOthersAlone) {
    const std::string foreign = "[Timer]\nOnCalendar=daily\n";
    world_.write("units/kedge-plan-tell.timer", foreign);
    world_.write("units/other.timer", foreign);
    EXPECT_EQ(schedule("install tell -i what=rain --at 06:00").code, 7);
    EXPECT_FALSE(has_unit("kedge-plan-tell.service"));
    EXPECT_EQ(schedule("remove tell").code, 7);
    EXPECT_EQ(read_file(units() + "/kedge-plan-tell.timer").value(), foreign);
    EXPECT_EQ(read_file(units() + "/other.timer").value(), foreign);
}

TEST_F(ScheduledOffice, RemovesItsUnitsAndTheLastOnesOfAll) {
    ASSERT_EQ(schedule("install tell -i what=rain --at 06:00").code, 0);
    ASSERT_EQ(schedule("install failing --at 07:00").code, 0);
    EXPECT_EQ(schedule("remove tell").code, 0);
    EXPECT_FALSE(has_unit("kedge-plan-tell.timer"));
    EXPECT_TRUE(has_unit("kedge-overdue.timer"));
    EXPECT_EQ(schedule("remove tell").code, 4);
    EXPECT_EQ(schedule("remove failing").code, 0);
    EXPECT_TRUE(fs::is_empty(units()));
}

}  // namespace
}  // namespace kedge
