// The program as people and scripts start it: real processes without a terminal, without anything to read, on a real
// journal. Nothing hangs, every end has its documented code, and what is refused has changed nothing.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>

#include "cli/commands.h"
#include "cli/files_for_tests.h"
#include "os/files.h"
#include "os/process.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int many_steps = 40;

// A person of the office estate has the login of whoever runs the tests.
class Office : public OfficeWorld {
public:
    Office() {
        const Result<Login> self = find_login(getuid());
        const std::string name = self ? self->name : std::to_string(getuid());
        add_door();
        std::string estate = office_estate(directory) + door_target(directory);
        estate.replace(estate.find("login: ada"), 10, "login: '" + name + "'");
        write("plans/estate.yaml", estate);
        login = name;
    }
    Environment variables() const {
        Environment all;
        for (const auto& [name, value] : environment) all.push_back(name + "=" + value);
        return all;
    }
    RunOutput kedge(Arguments words, const std::string& input = {}, Span limit = 20s) const {
        words.insert(words.begin(), KEDGE_PROGRAM);
        const Result<RunOutput> output =
            kedge::run(words, within(limit), {.input = input, .environment = variables(), .directory = directory});
        return output ? *output : RunOutput{.exit = {.code = 99}, .out = {}, .err = output.error().message};
    }
    RunOutput line(const std::string& text) const {
        std::istringstream words(text);
        return kedge({std::istream_iterator<std::string>(words), {}});
    }
    Result<Child> start(Arguments words) const {
        words.insert(words.begin(), KEDGE_PROGRAM);
        SpawnOptions options;
        options.environment = variables();
        options.output = Redirect::append_to(directory + "/out");
        options.errors = Redirect::append_to(directory + "/errors");
        return Child::spawn(words, options);
    }
    std::string newest() const {
        const std::string names = line("run list --names").out;
        return names.substr(0, names.find('\n'));
    }
    bool await(const std::function<bool()>& holds) const {
        for (const Until until = within(15s); SystemClock().now() < until.deadline; wait_out(within(20ms)))
            if (holds()) return true;
        return false;
    }
    // Begins the plan that asks under a controller of its own, and waits until it asks.
    std::string begun_apart() const {
        const RunOutput begun = line("run start asking --confirm TELL --detach");
        EXPECT_EQ(begun.exit.code, 8) << begun.err;
        return begun.out.substr(0, begun.out.find('\n'));
    }
    std::optional<pid_t> controller(const std::string& run) const {
        const Result<Json> shown = parse_json(line("run show " + run + " --json").out);
        const std::string text = shown ? get_string(get(*shown, "item"), "controller").value_or("") : "";
        if (!text.starts_with("pid ")) return std::nullopt;
        return std::stoi(text.substr(4));
    }
    // Ends the controller that `--detach` left, which is not the test's child.
    void kill_controller(const std::string& run) const {
        const std::optional<pid_t> pid = controller(run);
        ASSERT_TRUE(pid);
        ASSERT_EQ(::kill(*pid, SIGKILL), 0);
        ASSERT_TRUE(await([&] { return !controller(run); }));
    }
};

// Each word of a command that has to be given.
std::string placeholder(const ArgumentSpec& argument) {
    switch (argument.completes) {
        case Completes::plans: return "tell";
        case Completes::runs: return "r-000000";
        default: return "nothing";
    }
}

TEST(EveryCommand, EndsWithADocumentedCodeWhereNobodyIsThere) {
    const Office office;
    for (const Command& command : all_commands()) {
        std::istringstream path(command.path);
        Arguments words(std::istream_iterator<std::string>(path), {});
        for (const ArgumentSpec& argument : command.arguments)
            if (argument.required) words.push_back(placeholder(argument));
        if (command.path == "watch") words.insert(words.end(), {"--for", "1s"});
        if (command.path == "lab up") continue;  // starts what a test of the lab starts
        const RunOutput output = office.kedge(words);
        ASSERT_EQ(output.exit.signal, 0) << command.path;
        ASSERT_NE(output.exit.code, 99) << command.path << " did not end";
        std::vector<int> documented = {0, 1, 2};
        for (const ExitCode code : command.exits) documented.push_back(static_cast<int>(code));
        EXPECT_THAT(documented, testing::Contains(output.exit.code)) << command.path << ": " << output.err;
        EXPECT_FALSE(output.exit.code != 0 && (output.out + output.err).empty()) << command.path << " fails in silence";
        EXPECT_THAT(output.out + output.err, Not(HasSubstr("\x1b"))) << command.path << " paints into a pipe";
    }
}

TEST(EveryCommand, SpeaksJsonWhateverComesOfIt) {
    const Office office;
    for (const Command& command : all_commands()) {
        if (command.path == "lab up" || command.path == "lab down" || command.path.starts_with("completion")) continue;
        std::istringstream path(command.path);
        Arguments words(std::istream_iterator<std::string>(path), {});
        for (const ArgumentSpec& argument : command.arguments)
            if (argument.required) words.push_back(placeholder(argument));
        if (command.path == "watch") words.insert(words.end(), {"--for", "1s"});
        words.emplace_back("--json");
        const RunOutput output = office.kedge(words);
        std::istringstream lines(output.out);
        const bool whole = parse_json(output.out).has_value();
        for (std::string line; !whole && std::getline(lines, line);)
            EXPECT_TRUE(parse_json(line)) << command.path << ": " << line;
        if (output.exit.code == 0 || output.out.find('{') != std::string::npos) continue;
        const std::size_t problem = output.err.find('{');
        ASSERT_NE(problem, std::string::npos) << command.path << ": " << output.err;
        const Result<Json> said = parse_json(output.err.substr(problem));
        ASSERT_TRUE(said) << command.path << ": " << output.err;
        EXPECT_EQ(get_integer(*said, "exit_code"), output.exit.code) << command.path;
    }
}

TEST(EveryCommand, IsQuietWhenAskedAndEndsWhenNobodyReads) {
    const Office office;
    EXPECT_EQ(office.line("run start tell -i what=rain --quiet").err, "");
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    close(ends[0]);
    SpawnOptions options;
    options.environment = office.variables();
    options.output = Redirect::of(ends[1]);
    const std::string id = office.begun_apart();
    Result<Child> watch = Child::spawn({KEDGE_PROGRAM, "run", "watch", id}, options);
    close(ends[1]);
    ASSERT_TRUE(watch);
    EXPECT_TRUE(watch->wait(within(15s))) << "it went on although nobody reads what it says";
    EXPECT_EQ(office.line("run cancel " + id).exit.code, 0);
}

TEST(Detached, RunGoesOnByItselfAndIsAnsweredFromOutside) {
    const Office office;
    const std::string id = office.begun_apart();
    EXPECT_TRUE(office.controller(id));
    // The first step waits for an approver, and the login that asked for the run is none.
    const RunOutput own = office.line("run approve " + id + " start --yes");
    EXPECT_EQ(own.exit.code, 7) << own.err;
    EXPECT_THAT(own.err, HasSubstr("who asked for the run"));
    EXPECT_EQ(office.line("run pause " + id).exit.code, 0);
    EXPECT_EQ(office.line("run resume " + id).exit.code, 0) << "by the controller that it has";
    const RunOutput watched = office.line("run watch " + id + " --timeout 300ms");
    EXPECT_EQ(watched.exit.code, 12) << watched.err;
    EXPECT_EQ(office.line("run cancel " + id + " --reason rain").exit.code, 0);
    EXPECT_TRUE(office.await([&] { return !office.controller(id); })) << "its controller ends with the run";
    EXPECT_THAT(office.line("run show " + id).out, HasSubstr("cancelled"));
    EXPECT_EQ(office.board(), "");
}

// What systemd would carry out, carried out: the units are worth nothing if that is not this program.
TEST(Schedule, WritesAServiceWhoseCommandRunsThePlan) {
    const Office office;
    const std::string units = office.directory + "/units";
    ASSERT_TRUE(make_directories(units));
    const RunOutput installed = office.line("schedule install tell --input what=hello --at 06:00 --units " + units);
    ASSERT_EQ(installed.exit.code, 0) << installed.err;
    for (const char* name : {"/kedge-plan-tell.service", "/kedge-overdue.service"}) {
        const Result<std::string> service = read_file(units + name);
        ASSERT_TRUE(service) << service.error().message;
        const std::size_t at = service->find("ExecStart=");
        ASSERT_NE(at, std::string::npos) << *service;
        const std::string line = service->substr(at, service->find('\n', at) - at);
        std::istringstream words(line.substr(line.find('=') + 1));
        Arguments command;
        for (std::string word; words >> std::quoted(word);) command.push_back(word);
        ASSERT_FALSE(command.empty()) << line;
        EXPECT_EQ(command.front(), KEDGE_PROGRAM);
        const Result<RunOutput> done = run(command, within(20s), {.environment = office.variables(), .directory = "/"});
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_TRUE(done->exit.ok()) << done->err;
    }
    EXPECT_THAT(office.board(), HasSubstr("hello"));
}

TEST(SecondKedge, IsRefusedOnTheSameRunAndGoesOnOnceTheFirstIsDead) {
    const Office office;
    const std::string id = office.begun_apart();
    const std::optional<pid_t> first = office.controller(id);
    ASSERT_TRUE(first);
    for (const char* more : {"", " --detach"}) {
        const RunOutput second = office.line("run resume " + id + more);
        EXPECT_EQ(second.exit.code, 6) << second.err;
        EXPECT_THAT(second.err, HasSubstr("was not resumed")) << "what";
        EXPECT_THAT(second.err, HasSubstr(fmt::format("pid {}", *first))) << "why: who controls it";
        EXPECT_THAT(second.err, HasSubstr("→")) << "what to do";
    }
    office.kill_controller(id);
    const RunOutput watched = office.line("run watch " + id);
    EXPECT_EQ(watched.exit.code, 1);
    EXPECT_THAT(watched.err, HasSubstr("kedge run resume " + id));
    const RunOutput resumed = office.line("run resume " + id + " --detach");
    EXPECT_EQ(resumed.exit.code, 8) << resumed.err;
    EXPECT_NE(office.controller(id), first);
    EXPECT_EQ(office.line("run cancel " + id).exit.code, 0);
}

TEST(SecondKedge, IsRefusedOnTheSameTarget) {
    const Office office;
    const RunOutput begun = office.line("run start closing --detach");
    ASSERT_EQ(begun.exit.code, 8) << begun.err;
    const std::string id = begun.out.substr(0, begun.out.find('\n'));
    for (const char* more : {"", " --detach"}) {
        const RunOutput second = office.line(std::string("run start closing") + more);
        EXPECT_EQ(second.exit.code, 6) << second.err;
        EXPECT_THAT(second.err, HasSubstr("nothing was changed")) << "what";
        EXPECT_THAT(second.err, HasSubstr("door")) << "why";
        EXPECT_THAT(second.err, HasSubstr(id)) << "why";
        EXPECT_THAT(second.err, HasSubstr("→")) << "what to do";
    }
    EXPECT_EQ(office.newest(), id);
    EXPECT_EQ(office.line("run cancel " + id).exit.code, 0);
}

TEST(Interrupt, LeavesTheRunAsItIs) {
    const Office office;
    Result<Child> controller = office.start({"run", "start", "asking", "--confirm", "TELL"});
    ASSERT_TRUE(controller);
    ASSERT_TRUE(office.await([&] { return office.line("status").out.find("run approve") != std::string::npos; }));
    controller->signal_group(SIGINT);
    const std::optional<Exit> exit = controller->wait(within(15s));
    ASSERT_TRUE(exit) << "it did not end";
    EXPECT_EQ(exit->code, 130);
    const std::string id = office.newest();
    EXPECT_THAT(office.line("run show " + id).out, HasSubstr("kedge run resume " + id));
}

// A small disk of its own under the journal.
class SmallDisk : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "only root can mount a disk";
        state_ = office_.directory + "/state";
        ASSERT_TRUE(make_directories(state_));
        if (mount("tmpfs", state_.c_str(), "tmpfs", 0, "size=4m") != 0) GTEST_SKIP() << "no mounts here";
        mounted_ = true;
    }
    void TearDown() override {
        if (mounted_) umount2(state_.c_str(), MNT_DETACH);
    }
    void fill() const {
        std::ofstream file(state_ + "/full");
        const std::string block(4096, 'x');
        while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    void make_room() const { std::filesystem::remove(state_ + "/full"); }

    Office office_;
    std::string state_;
    bool mounted_ = false;
};

TEST_F(SmallDisk, LetsNoRunBeginWhenItIsFull) {
    fill();
    const RunOutput refused = office_.line("run start tell -i what=rain");
    EXPECT_EQ(refused.exit.code, 1) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("nothing was changed")) << "what";
    EXPECT_THAT(refused.err, HasSubstr("full")) << "why";
    EXPECT_THAT(refused.err, HasSubstr("→")) << "what to do";
    EXPECT_EQ(office_.board(), "") << "no effect without a durable intent";
    make_room();
    EXPECT_EQ(office_.line("run start tell -i what=rain").exit.code, 0);
}

// Forty notices, one after the other, once somebody has said that it may begin.
std::string many_plan() {
    std::string plan =
        "plan: many\nsummary: Tell much.\nowner: Ada\nreview-by: 2099-01-01\nsteps:\n"
        "  - id: begin\n    person: May it begin?\n    deadline: 10m\n";
    std::string before = "begin";
    for (int i = 0; i < many_steps; ++i) {
        const std::string id = fmt::format("tell-{}", i);
        plan += fmt::format(
            "  - id: {0}\n    do: channel.announce\n    on: board\n    needs: [{1}]\n"
            "    with: {{title: number {2}}}\n",
            id, before, i);
        before = id;
    }
    return plan;
}

// The log of the journal has some room of its own, so that a few entries more may be written; then it is over.
TEST_F(SmallDisk, StopsARunBeforeItsNextEffectWhenItFillsMeanwhile) {
    office_.write("plans/many.yaml", many_plan());
    ASSERT_EQ(office_.line("run start many --timeout 300ms").exit.code, 12);
    const std::string id = office_.newest();
    ASSERT_EQ(office_.line("run done " + id + " begin --yes --timeout 100ms").exit.code, 12) << "it is in the inbox";
    fill();
    const RunOutput stopped = office_.line("run resume " + id);
    EXPECT_EQ(stopped.exit.code, 1) << stopped.err;
    EXPECT_THAT(stopped.err, HasSubstr("full")) << "why";
    EXPECT_THAT(stopped.err, HasSubstr("make room")) << "what to do";
    const std::ptrdiff_t told = std::ranges::count(office_.board(), '\n');
    EXPECT_LT(told, many_steps);
    // It can still be looked at; with room again it goes on, and tells nothing twice.
    EXPECT_EQ(office_.line("run show " + id).exit.code, 0);
    make_room();
    EXPECT_EQ(office_.line("journal verify").exit.code, 0);
    EXPECT_EQ(office_.line("run resume " + id).exit.code, 0);
    EXPECT_EQ(std::ranges::count(office_.board(), '\n'), many_steps);
    EXPECT_EQ(office_.line("journal verify").exit.code, 0);
}

struct BadInput {
    const char* words;
    int code;
    const char* says;
};
void PrintTo(const BadInput& input, std::ostream* out) {
    *out << input.words;
}

class BadCommandLine : public testing::TestWithParam<BadInput> {};

TEST_P(BadCommandLine, IsRefusedAndChangesNothing) {
    const Office office;
    const RunOutput output = office.line(GetParam().words);
    EXPECT_EQ(output.exit.code, GetParam().code) << output.out << output.err;
    EXPECT_THAT(output.err, HasSubstr(GetParam().says));
    EXPECT_EQ(office.board(), "");
    EXPECT_EQ(office.line("run list --names").out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Of, BadCommandLine,
    testing::Values(
        BadInput{"rnu list", 2, "did you mean"}, BadInput{"run", 2, "start"}, BadInput{"run start", 2, "PLAN"},
        BadInput{"run start tell more", 2, "more"}, BadInput{"run start tell --inputs what=x", 2, "--input"},
        BadInput{"run start tell -i", 2, "NAME=VALUE"}, BadInput{"run start tell -i what", 2, "NAME=VALUE"},
        BadInput{"run start tell -i what=a -i what=b", 2, "what"},
        BadInput{"run start tell -i what=a --mode real", 2, "rehearse"},
        BadInput{"run start tell -i what=a --timeout 5", 2, "5"},
        BadInput{"run start tell -i what=a --timeout -5s", 2, "-5s"}, BadInput{"run start tell", 3, "what"},
        BadInput{"run start tell -i what=a -i when=b", 3, "when"}, BadInput{"run start tll -i what=a", 4, "tell"},
        BadInput{"run start ./none.yaml", 4, "none.yaml"}, BadInput{"run start asking", 7, "--confirm TELL"},
        BadInput{"run start asking --confirm tell", 7, "TELL"},
        BadInput{"run start asking --confirm TELL --play-people --mode drill --estate nowhere.yaml", 4, "nowhere"},
        BadInput{"run show r-000000", 4, "r-000000"}, BadInput{"run resume ../../etc/passwd", 4, "passwd"},
        BadInput{"run approve r-000000 start --yes", 4, "r-000000"}, BadInput{"run pause r-000000", 4, "r-000000"},
        BadInput{"run resolve r-000000 tell --as maybe", 2, "not-done"}, BadInput{"run report r-000000", 4, "r-000000"},
        BadInput{"drill start tell", 7, "lab"}, BadInput{"drill report d-000000", 4, "d-000000"},
        BadInput{"check --target bord", 4, "board"}, BadInput{"plan show tll", 4, "tell"},
        BadInput{"plan validate plans/none.yaml", 4, "none.yaml"}, BadInput{"lab break partiton", 3, "partition"},
        BadInput{"completion tcsh", 2, "bash"}, BadInput{"journal export --verify none.jsonl", 4, "none.jsonl"},
        BadInput{"status --estate plans/tell.yaml", 3, "plans/tell.yaml"}));

class BadFile : public testing::TestWithParam<std::pair<const char*, const char*>> {};

// Whatever a plan's file holds, it is answered with a place in it or with what it is, and nothing begins.
TEST_P(BadFile, IsNoPlan) {
    const Office office;
    const auto& [content, says] = GetParam();
    const std::string path = office.write("plans/bad.yaml", content);
    for (const Arguments& words : {Arguments{"plan", "validate", path}, Arguments{"run", "start", path}}) {
        const RunOutput output = office.kedge(words);
        EXPECT_EQ(output.exit.code, 3) << output.out << output.err;
        EXPECT_THAT(output.out + output.err, HasSubstr(says));
    }
    EXPECT_EQ(office.line("run list --names").out, "");
}

INSTANTIATE_TEST_SUITE_P(
    With, BadFile,
    testing::Values(std::pair{"", "bad.yaml"}, std::pair{"\xff\xfe\x00", "bad.yaml"}, std::pair{"[]", "bad.yaml"},
                    std::pair{"plan: bad\nplan: bad\n", "bad.yaml:2"}, std::pair{"plan: {a: [", "bad.yaml"},
                    std::pair{"---\nplan: a\n---\nplan: b\n", "bad.yaml"},
                    std::pair{"plan: bad\nsummary: x\nowner: Ada\nreview-by: 2099-01-01\nstpes: []\n", "steps"},
                    std::pair{"plan: bad\nsummary: x\nowner: Ada\nreview-by: 2099-13-41\nsteps: []\n", "bad.yaml:4"},
                    std::pair{"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nplan: [*c,*c]\n", "bad.yaml"}));

TEST(BadFile, ThatIsNoRegularFileIsRefusedAndNothingHangs) {
    const Office office;
    const std::string pipe = office.directory + "/plans/pipe.yaml";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string& path : {pipe, office.directory + "/plans", std::string("/dev/zero")}) {
        for (const Arguments& words : {Arguments{"plan", "validate", path}, Arguments{"run", "start", path},
                                       Arguments{"status", "--estate", path}}) {
            const RunOutput output = office.kedge(words);
            EXPECT_NE(output.exit.code, 99) << path << " hangs " << words.front();
            EXPECT_NE(output.exit.code, 0) << path;
            EXPECT_EQ(output.exit.signal, 0) << path;
        }
    }
}

}  // namespace
}  // namespace kedge
