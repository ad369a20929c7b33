#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iomanip>

#include "cli/cli_world.h"
#include "cli/command_line.h"
#include "cli/context.h"
#include "cli/help.h"

namespace kedge {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Sample {
    std::string plan;
    std::vector<std::string> more;
    std::map<std::string, std::string> inputs;
    std::optional<Span> timeout;
    std::string colour;
    bool detach = false;
};
Sample seen;

ExitCode remember(Context&, const Sample& sample) {
    seen = sample;
    return ExitCode::ok;
}

std::vector<Command> sample_commands() {
    return {command("run start", "Begin", remember)
                .argument("PLAN", &Sample::plan, "the plan")
                .argument("MORE", &Sample::more, "more")
                .option("input", "NAME=VALUE", &Sample::inputs, "an input")
                .letter('i')
                .option("timeout", "SPAN", &Sample::timeout, "how long")
                .option("mood", "MOOD", &Sample::colour, "which")
                .choices({"live", "drill"})
                .flag("detach", &Sample::detach, "leave it")
                .letter('d'),
            command("run show", "Show", remember).argument("RUN", &Sample::plan, "the run"),
            command("status", "Status", remember)};
}

// What is wrong with the line; empty if nothing is. Fills `seen`.
std::string read(const std::vector<std::string>& words) {
    const std::vector<Command> commands = sample_commands();
    const CommandLine line = read_command_line(commands, words);
    if (line.wrong) return line.wrong->message + " | " + line.wrong->hint;
    if (line.command == nullptr) return "group " + line.group;
    seen = {};
    CliWorld world;
    std::ostringstream out, errors;
    std::istringstream in;
    const SystemClock clock;
    const Surroundings around{.out = out,
                              .errors = errors,
                              .in = in,
                              .clock = clock,
                              .window = [] { return WindowSize{}; },
                              .interrupted = [] { return false; },
                              .catch_interrupt = [] {}};
    Context context(around, line.global, commands);
    const Result<ExitCode> code = line.command->run(context, line.values);
    return code ? "" : code.error().message;
}

TEST(CommandLine, FillsInEveryKindOfOption) {
    EXPECT_EQ(read({"run", "start", "failover", "a", "b", "--input", "from=x", "-i", "to=y=z", "--timeout=5m", "-d",
                    "--mood", "drill"}),
              "");
    EXPECT_EQ(seen.plan, "failover");
    EXPECT_EQ(seen.more, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(seen.inputs, (std::map<std::string, std::string>{{"from", "x"}, {"to", "y=z"}}));
    EXPECT_EQ(seen.timeout, Span(std::chrono::minutes(5)));
    EXPECT_EQ(seen.colour, "drill");
    EXPECT_TRUE(seen.detach);
}

TEST(CommandLine, TakesLettersTogetherAndWithTheirValue) {
    EXPECT_EQ(read({"run", "start", "p", "-dia=b"}), "");
    EXPECT_TRUE(seen.detach);
    EXPECT_EQ(seen.inputs.at("a"), "b");
}

TEST(CommandLine, EndsOptionsAtTwoDashes) {
    EXPECT_EQ(read({"run", "start", "--", "--odd"}), "");
    EXPECT_EQ(seen.plan, "--odd");
}

TEST(CommandLine, TakesGlobalOptionsAnywhere) {
    const std::vector<Command> commands = sample_commands();
    const CommandLine line = read_command_line(commands, {"--json", "run", "--state", "/s", "show", "r-1", "-q"});
    EXPECT_FALSE(line.wrong.has_value());
    EXPECT_TRUE(line.global.json);
    EXPECT_TRUE(line.global.quiet);
    EXPECT_EQ(line.global.state, "/s");
    EXPECT_EQ(line.command->path, "run show");
}

TEST(CommandLine, NamesWhatIsWrongAndWhatIsNear) {
    const struct {
        std::vector<std::string> words;
        std::string message;
    } cases[] = {
        {{"runn"}, "there is no command 'kedge runn' | did you mean 'run'?"},
        {{"run", "strat", "p"}, "there is no command 'kedge run strat' | did you mean 'start'?"},
        {{"status", "now"}, "'now' is one argument too many for `kedge status` | see `kedge status --help`"},
        {{"run", "show"}, "RUN is missing | see `kedge run show --help`"},
        {{"run", "show", "a", "b"}, "'b' is one argument too many for `kedge run show` | see `kedge run show --help`"},
        {{"run", "start", "p", "--detahc"}, "`kedge run start` has no option --detahc | did you mean '--detach'?"},
        {{"--detach"}, "`kedge` has no option --detach | see `kedge --help`"},
        {{"run", "start", "p", "-z"}, "there is no option -z | see `kedge run start --help`"},
        {{"run", "start", "p", "--timeout"}, "--timeout needs a value: SPAN | "},
        {{"run", "start", "p", "--detach=yes"}, "--detach takes no value | "},
        {{"run", "start", "p", "-d", "--detach"}, "--detach is given twice | "},
        {{"run", "start", "p", "--mood", "dril"}, "--mood: 'dril' is none of live, drill | did you mean 'drill'?"},
        {{"--color", "maybe"}, "--color: 'maybe' is none of auto, always, never | "},
        {{"--state", ""}, "--state: an empty text is no value | "},
    };
    for (const auto& [words, message] : cases) EXPECT_EQ(read(words), message);
}

TEST(CommandLine, SaysWhichValueCannotBeRead) {
    EXPECT_THAT(read({"run", "start", "p", "--timeout", "5"}), HasSubstr("--timeout: "));
    EXPECT_EQ(read({"run", "start", "p", "-i", "from"}), "-i: 'from' is not of the form NAME=VALUE");
    EXPECT_EQ(read({"run", "start", "p", "-i", "a=1", "-i", "a=2"}), "-i: 'a' is given twice");
}

TEST(CommandLine, KnowsAGroupFromACommand) {
    EXPECT_EQ(read({"run"}), "group run");
    EXPECT_EQ(read({}), "group ");
}

TEST(Help, ShowsACommandInEightyColumns) {
    EXPECT_EQ(help_of(Command(command("run show", "Show one run", remember)
                                  .details("As the journal tells it, also while it goes on; nothing is asked of the "
                                           "controller, and nothing of a target.")
                                  .argument("RUN", &Sample::plan, "the run")
                                  .option("input", "NAME=VALUE", &Sample::inputs, "an input")
                                  .letter('i')
                                  .example("kedge run show r-7k2f9c")
                                  .exits({ExitCode::not_found})),
                      {}),
              R"(Show one run.
As the journal tells it, also while it goes on; nothing is asked of the
controller, and nothing of a target.

Usage
  kedge run show RUN [options]

Arguments
  RUN  the run

Options
  -i, --input NAME=VALUE  an input

Options of every command
      --estate FILE  what is protected (or KEDGE_ESTATE)
      --plans DIR    where plans lie (or KEDGE_PLANS; else beside the estate)
      --state DIR    where the journal lies (or KEDGE_STATE)
      --json         write for programs
      --color WHEN   auto, always or never
  -q, --quiet        no remarks beside the data
      --no-input     never ask (or KEDGE_NO_INPUT)
  -h, --help         how a command is used
      --version      the version

Examples
  kedge run show r-7k2f9c

Exit codes
    0  done
    1  failed, with no better code
    2  the command line is wrong
    4  not found
)");
}

TEST(Help, OfEveryCommandFitsAndHasAnExample) {
    know_widths();
    for (const Command& command : all_commands()) {
        const std::string help = help_of(command, {});
        std::istringstream lines(help);
        for (std::string line; std::getline(lines, line);)
            EXPECT_LE(display_width(line), 80u) << command.path << ": " << line;
        EXPECT_FALSE(command.examples.empty()) << command.path;
        for (const std::string& example : command.examples)
            EXPECT_THAT(example, HasSubstr("kedge " + command.path.substr(0, command.path.find(' ')))) << command.path;
    }
}

TEST(Help, OfEveryExampleIsUnderstood) {
    const std::vector<Command> commands = all_commands();
    for (const Command& command : commands)
        for (const std::string& example : command.examples) {
            if (!example.starts_with("kedge ")) continue;
            std::istringstream stream(example.substr(6, example.find(" > ") - 6));
            const CommandLine line = read_command_line(commands, {std::istream_iterator<std::string>(stream), {}});
            EXPECT_FALSE(line.wrong) << example << ": " << line.wrong->message;
        }
}

TEST(Program, SaysWhatItIs) {
    const CliWorld world;
    EXPECT_THAT(world.run("version").out, testing::StartsWith("kedge 0."));
    EXPECT_THAT(world.run("--version").out, testing::StartsWith("kedge 0."));
    const Outcome json = world.run("version --json");
    EXPECT_EQ(get_string(json.json(), "kind"), "Version");
    EXPECT_EQ(get_string(json.json(), "api_version"), "v1");
}

TEST(Program, RefusesAWrongLineWithTwo) {
    const CliWorld world;
    const Outcome outcome = world.run("versoin");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(
        outcome.errors,
        "✖ the command line is not understood\n  there is no command 'kedge versoin'\n  → did you mean 'version'?\n");
    const Outcome json = world.run("versoin --json");
    EXPECT_EQ(json.code, 2);
    const Json problem = *parse_json(json.errors);
    EXPECT_EQ(get_integer(problem, "exit_code"), 2);
    EXPECT_EQ(get_string(problem, "hint"), "did you mean 'version'?");
}

TEST(Program, WarnsOfASettingThatItDoesNotKnow) {
    CliWorld world;
    world.environment["KEDGE_SATTE"] = "/x";
    EXPECT_THAT(world.run("version").errors, HasSubstr("did you mean KEDGE_STATE?"));
    const Json json = world.run("version --json").json();
    EXPECT_EQ(get(json, "warnings").size(), 1u);
}

TEST(Completion, OffersEveryCommandInEveryShell) {
    const CliWorld world;
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const Outcome outcome = world.run(std::string("completion ") + shell);
        EXPECT_EQ(outcome.code, 0);
        EXPECT_THAT(outcome.out, HasSubstr("completion"));
    }
    EXPECT_EQ(world.run("completion tcsh").code, 2);
}

}  // namespace
}  // namespace kedge
