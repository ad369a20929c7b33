// Whole runs in this process: begun, left, answered, resumed, watched, reported; on real files and a real journal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "cli/files_for_tests.h"
#include "cli/finding.h"
#include "cli/run_view.h"
#include "os/wait.h"
#include "runner/runs.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// The id of the newest run.
std::string newest(const OfficeWorld& world) {
    const std::string names = world.run("run list --names").out;
    return names.substr(0, names.find('\n'));
}

// Begins the plan that asks, and leaves it where it waits for its approval.
std::string begun(OfficeWorld& world) {
    const Outcome outcome = world.run("run start asking --confirm TELL --timeout 200ms --reason drizzle");
    EXPECT_EQ(outcome.code, 12) << outcome.errors;
    return newest(world);
}

OfficeWorld& as(OfficeWorld& world, const std::string& login) {
    world.login = login;
    return world;
}

// A command that goes on beside the test; interrupted when the test is over.
class Controller {
public:
    Controller(OfficeWorld& world, const std::string& line) {
        world.interrupted = [this] { return stop_.load(); };
        thread_ = std::jthread([this, &world, line] { outcome_ = world.run(line); });
    }
    ~Controller() { stop_ = true; }
    Outcome ended() {
        thread_.join();
        return outcome_;
    }

private:
    std::atomic<bool> stop_ = false;
    Outcome outcome_;
    std::jthread thread_;
};

TEST(RunStart, CarriesAPlanToItsEnd) {
    const OfficeWorld world;
    const Outcome outcome = world.run("run start tell -i what=rain");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(world.board(), HasSubstr("rain"));
    EXPECT_THAT(outcome.out, HasSubstr("tell succeeded"));
    EXPECT_THAT(outcome.errors, HasSubstr("kedge run report"));
    EXPECT_THAT(world.run("run list").out, HasSubstr("✔ succeeded"));
    EXPECT_EQ(world.run("journal verify").code, 0);
    EXPECT_THAT(world.run("journal show").out, HasSubstr("run.started"));
}

TEST(RunStart, SpeaksJsonLineByLine) {
    const OfficeWorld world;
    const Outcome outcome = world.run("run start tell -i what=rain --json");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    std::istringstream lines(outcome.out);
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(get_string(*parse_json(line), "type"), "hello");
    std::size_t entries = 0;
    for (; std::getline(lines, line); ++entries) {
        EXPECT_EQ(get_string(*parse_json(line), "type"), "entry");
        EXPECT_THAT(line, Not(HasSubstr("plan_text")));
    }
    EXPECT_GT(entries, 3u);
}

TEST(RunStart, RefusesBeforeAnythingIsChanged) {
    OfficeWorld world;
    const struct {
        std::string line;
        int code;
        std::string says;
    } cases[] = {
        {"run start tell", 3, "what"},
        {"run start tell -i what=x -i why=y", 3, "why"},
        {"run start nothing", 4, "there is no plan 'nothing'"},
        {"run start asking", 7, "--confirm TELL"},
        {"run start asking --confirm tell", 7, "TELL"},
    };
    for (const auto& [line, code, says] : cases) {
        const Outcome outcome = world.run(line);
        EXPECT_EQ(outcome.code, code) << line << outcome.errors;
        EXPECT_THAT(outcome.errors, HasSubstr("nothing was changed")) << line;
        EXPECT_THAT(outcome.errors, HasSubstr(says)) << line;
    }
    const Outcome stranger = as(world, "mallory").run("run start tell -i what=x");
    EXPECT_EQ(stranger.code, 5);
    EXPECT_THAT(stranger.errors, HasSubstr("mallory"));
    EXPECT_EQ(world.run("run list --names").out, "");
    EXPECT_EQ(world.board(), "");
}

TEST(RunStart, AsksAPersonAtATerminalForTheWord) {
    OfficeWorld world;
    world.terminal = true;
    world.typed = "TELL\n";
    const Outcome outcome = world.run("run start asking --timeout 200ms");
    EXPECT_EQ(outcome.code, 12) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("Type TELL to start asking:"));
    world.typed = "";
    EXPECT_EQ(world.run("run start asking --no-input").code, 7);
}

TEST(RunStart, OnlyLooksInARehearsal) {
    const OfficeWorld world;
    EXPECT_EQ(world.run("run start asking --mode rehearse").code, 0);
    EXPECT_EQ(world.board(), "");
    EXPECT_THAT(world.run("run show " + newest(world)).out, HasSubstr("skipped"));
}

// The plan changes a target, so that its run holds it from the start, before anybody has agreed to anything.
TEST(RunStart, RefusesATargetThatAnotherRunHolds) {
    const OfficeWorld world;
    world.add_door();
    EXPECT_EQ(world.run("run start closing --timeout 100ms").code, 12);
    const std::string id = newest(world);
    for (const char* line : {"run start closing --timeout 20s", "run start closing --detach"}) {
        const Outcome second = world.run(line);
        EXPECT_EQ(second.code, 6) << second.errors;
        EXPECT_THAT(second.errors, HasSubstr("nothing was changed")) << "what";
        EXPECT_THAT(second.errors, HasSubstr("door")) << "why: the target";
        EXPECT_THAT(second.errors, HasSubstr(id)) << "why: who holds it";
        EXPECT_THAT(second.errors, HasSubstr("→")) << "what to do";
    }
    EXPECT_EQ(newest(world), id) << "no second run was begun";
    EXPECT_EQ(world.run("run start closing --mode rehearse").code, 7) << "it holds nothing, and sees no server";
    EXPECT_NE(newest(world), id) << "a run of its own";
    // Somebody is told beside it: channels are not held.
    EXPECT_EQ(world.run("run start tell -i what=rain").code, 0);
}

TEST(RunShow, SaysWhomARunWaitsForAndHowToAnswer) {
    OfficeWorld world;
    const std::string id = begun(world);
    const Outcome outcome = world.run("run show " + id);
    EXPECT_EQ(outcome.code, 0);
    for (const std::string& text : {std::string("0 of 1 approval by approver"), "kedge run approve " + id + " start",
                                    std::string("none is alive"), "kedge run resume " + id, std::string("drizzle")})
        EXPECT_THAT(outcome.out, HasSubstr(text));
    const Json item = get(world.run("run show " + id + " --json").json(), "item");
    EXPECT_EQ(get_string(item, "phase"), "running");
    EXPECT_TRUE(get(item, "controller").is_null());
    EXPECT_EQ(get_string(get(item, "steps")[0], "waits_for"), "gate");
    EXPECT_EQ(world.run("run show r-nothing").code, 4);
}

TEST(RunApprove, StaysInTheInboxWhenNobodyIsThereAndCountsAfterTheResume) {
    OfficeWorld world;
    const std::string id = begun(world);
    const Outcome left = as(world, "ben").run("run approve " + id + " start --yes --timeout 100ms");
    EXPECT_EQ(left.code, 12);
    EXPECT_THAT(left.errors, HasSubstr("it stays in the inbox"));
    EXPECT_THAT(left.errors, HasSubstr("The board will be told."));
    EXPECT_EQ(as(world, "ben").run("run done " + id + " phone --yes --timeout 100ms").code, 12);

    EXPECT_EQ(as(world, "ada").run("run resume " + id + " --timeout 300ms").code, 12);
    EXPECT_THAT(world.run("run show " + id).out, HasSubstr("kedge run done " + id + " phone"));
    EXPECT_EQ(world.run("run done " + id + " phone --yes --timeout 100ms").code, 12);
    const Outcome ended = world.run("run resume " + id);
    EXPECT_EQ(ended.code, 0) << ended.errors;
    EXPECT_THAT(world.board(), HasSubstr("neighbours"));
    EXPECT_EQ(world.run("run resume " + id).code, 7);
    EXPECT_EQ(world.run("run watch " + id).code, 0);
}

TEST(RunApprove, NeedsADigestOrAYesWhereNobodyCanBeAsked) {
    OfficeWorld world;
    const std::string id = begun(world);
    const Outcome outcome = as(world, "ben").run("run approve " + id + " start");
    EXPECT_EQ(outcome.code, 7);
    EXPECT_THAT(outcome.errors, HasSubstr("--digest"));
    world.terminal = true;
    world.typed = "n\n";
    EXPECT_EQ(world.run("run approve " + id + " start").code, 7);
    EXPECT_EQ(world.run("run approve " + id + " strat --yes").code, 4);
}

TEST(RunApprove, HearsTheVerdictOfALivingController) {
    OfficeWorld world;
    Controller controller(world, "run start asking --confirm TELL");
    OfficeWorld* other = &world;
    const auto asks = [&](const std::string& login, const std::string& line) {
        CliWorld person;
        person.environment = other->environment;
        person.login = login;
        return person.run(line);
    };
    std::string id;
    for (const Until until = within(5s); id.empty() && SystemClock().now() < until.deadline;) {
        const Json open = asks("ben", "status --json").json();
        for (const Json& run : get(get(open, "item"), "runs"))
            if (!get(run, "waits").empty()) id = get_string(run, "id").value_or("");
        wait_out(within(10ms));
    }
    ASSERT_FALSE(id.empty());
    // Who asked for the run cannot agree to it; who has no role cannot either; who is nobody is nobody.
    const Outcome own = asks("ada", "run approve " + id + " start --yes");
    EXPECT_EQ(own.code, 7);
    EXPECT_THAT(own.errors, HasSubstr("who asked for the run"));
    EXPECT_EQ(asks("mallory", "run approve " + id + " start --yes").code, 5);
    EXPECT_EQ(asks("ben", "run approve " + id + " start --digest 0000").code, 7);
    EXPECT_EQ(asks("ben", "run pause " + id).code, 0);
    EXPECT_EQ(asks("ben", "run resume " + id).code, 0);
    EXPECT_EQ(asks("ada", "run resume " + id).code, 6);
    EXPECT_EQ(asks("ben", "run approve " + id + " start --yes").code, 0);
    EXPECT_EQ(asks("ben", "run retry " + id + " tell").code, 7);
    EXPECT_EQ(asks("ben", "run cancel " + id + " --reason rain").code, 0);
    const Outcome outcome = controller.ended();
    EXPECT_EQ(outcome.code, 9) << outcome.errors;
    EXPECT_THAT(world.run("run list").out, HasSubstr("⊘ cancelled"));
}

TEST(RunStart, IsNotCancelledByAnInterrupt) {
    OfficeWorld world;
    world.interrupted = [] { return true; };
    const Outcome outcome = world.run("run start asking --confirm TELL");
    EXPECT_EQ(outcome.code, 130);
    EXPECT_THAT(outcome.errors, HasSubstr("was not cancelled"));
    EXPECT_THAT(outcome.errors, HasSubstr("kedge run resume " + newest(world)));
}

TEST(RunWatch, EndsWhenNobodyAdvancesTheRun) {
    OfficeWorld world;
    const std::string id = begun(world);
    const Outcome outcome = world.run("run watch " + id);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("kedge run resume " + id));
    EXPECT_EQ(world.run("run watch " + id + " --timeout 100ms").code, 12);
}

TEST(RunReport, HoldsStepsDecisionsAndTimeline) {
    OfficeWorld world;
    EXPECT_EQ(world.run("run start tell -i what=rain").code, 0);
    const std::string id = newest(world);
    const Outcome outcome = world.run("run report " + id);
    EXPECT_EQ(outcome.code, 0);
    for (const char* text : {"# Run r-", "## Steps", "| tell |", "## Evidence", "Nobody was asked.", "## Timeline"})
        EXPECT_THAT(outcome.out, HasSubstr(text));
    EXPECT_EQ(world.run({"run", "report", id, "-o", world.directory + "/report", "-q"}).code, 0);
    EXPECT_TRUE(std::filesystem::exists(world.directory + "/report.md"));
    EXPECT_TRUE(std::filesystem::exists(world.directory + "/report.json"));
    EXPECT_TRUE(get(get(world.run("run report " + id + " --json").json(), "item"), "rto_from_onset_seconds").is_null());
}

TEST(JournalExport, CanBeVerifiedElsewhere) {
    OfficeWorld world;
    EXPECT_EQ(world.run("run start tell -i what=rain").code, 0);
    const std::string path = world.directory + "/export.jsonl";
    EXPECT_EQ(world.run({"journal", "export", "-o", path}).code, 0);
    EXPECT_EQ(world.run({"journal", "export", "--verify", path}).code, 0);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
    EXPECT_EQ(world.run({"journal", "export", "--verify", path}).code, 15);
}

TEST(Status, NamesWhatWaitsAndNothingAsGood) {
    OfficeWorld world;
    const std::string id = begun(world);
    const Outcome outcome = world.run("status");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("kedge run approve " + id + " start"));
    EXPECT_THAT(outcome.out, HasSubstr("no controller is alive: kedge run resume " + id));
    EXPECT_EQ(world.run(std::vector<std::string>{}).out.substr(0, 6), "office");
}

TEST(Check, AnswersForAPlan) {
    const OfficeWorld world;
    const Outcome outcome = world.run("check tell -i what=rain");
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("board has not been told"));
    EXPECT_EQ(world.board(), "");
    EXPECT_EQ(world.run("check --target bord").code, 4);
    EXPECT_EQ(world.run("check tell -i what=rain --target board").code, 2);
    EXPECT_EQ(world.run("check").code, 16) << "nothing was seen, so nothing is good";
}

TEST(RunPreview, ShowsStepsAndChangesNothing) {
    const OfficeWorld world;
    EXPECT_EQ(world.run("run start tell -i what=rain").code, 0);
    const std::string before = world.board();
    const Outcome outcome = world.run("run preview tell -i what=sun");
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.out, HasSubstr("Nothing was changed."));
    EXPECT_THAT(outcome.out, HasSubstr("kedge run start tell -i what=sun"));
    EXPECT_THAT(outcome.out, HasSubstr("the middle of 1 runs"));
    EXPECT_EQ(world.board(), before);
}

// The run on terminals of several sizes, at a fixed moment after its start.
class LiveView : public testing::Test {
protected:
    LiveView() : id_(begun(world_)) {}
    std::string at(const Surface& surface) {
        const auto journal = SqliteJournal::open(world_.directory + "/state", Access::read);
        Result<LoadedRun> run = load_run(**journal, id_, lab_root());
        std::string text;
        for (const std::string& line : live_view(run->state, surface, run->state.started_at() + 312s))
            text += line + "\n";
        for (std::size_t found; (found = text.find(id_)) != std::string::npos;)
            text.replace(found, id_.size(), "r-000000");
        return text;
    }
    OfficeWorld world_;
    std::string id_;
};

TEST_F(LiveView, ShowsEveryStepWhereThereIsRoom) {
    EXPECT_EQ(at({.interactive = true, .charset = Charset::utf8, .columns = 80, .rows = 24}),
              "r-000000 asking  ▸ running  5m12s  live\n"
              " ◷ start  waiting: 0 of 1 approval by approver\n"
              "     The board will be told.\n"
              "     → kedge run approve r-000000 start\n"
              " ○ phone  Call the neighbours.\n"
              " ○ tell   channel.announce board\n");
}

TEST_F(LiveView, NeverIsWiderOrTallerThanTheWindow) {
    EXPECT_EQ(at({.interactive = true, .columns = 20, .rows = 6}),
              "r-000000 asking  > ~\n"
              " @ start  waiting: ~\n"
              "     The board will~\n"
              "     -> kedge run a~\n"
              " . 2 later (phone, ~\n");
    EXPECT_EQ(at({.interactive = true, .columns = 20, .rows = 3}), "r-000000 asking  > ~\n 4 more lines do no~\n");
}

TEST_F(LiveView, IsPaintedOnlyWhereThereAreColours) {
    EXPECT_THAT(at({.interactive = true, .colour = true, .columns = 80}), HasSubstr("\x1b[35m @ start"));
    EXPECT_THAT(at({.interactive = true, .columns = 80}), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace kedge
