// plan test: a plan against thousands of simulated disasters. drill tabletop: one of them, told and decided.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/past_runs.h"
#include "os/files.h"
#include "sim/survey.h"
#include "sim/tabletop.h"

namespace kedge {
namespace {

struct TestPlan {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::int64_t disasters = 1000, seed = 1, percentile = 95;
    std::optional<std::string> html;
    bool no_faults = false;
};

// Inputs that were not given and that the two regions of an estate answer by themselves.
std::map<std::string, std::string> with_regions(const Plan& plan, const Estate& estate,
                                                std::map<std::string, std::string> inputs) {
    std::size_t next = 0;
    for (const Input& input : plan.inputs) {
        if (input.type != InputType::region || inputs.contains(input.name) || input.fallback) continue;
        if (next < estate.regions.size()) inputs[input.name] = estate.regions[next++].name;
    }
    return inputs;
}

Result<sim::Programme> prepare(Context& context, const std::string& name, std::map<std::string, std::string> inputs) {
    const std::string file = TRY(find_plan_file(context, name));
    const Plan plan = TRY(TRY(read_plan(file)).result());
    Estate estate = TRY(find_estate(context));
    const auto filled = with_regions(plan, estate, std::move(inputs));
    // A journal that cannot be read only means that nothing was measured.
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    const PastRuns past = past_runs(journal ? journal->get() : nullptr, plan.name, lab_root());
    return sim::make_programme(plan, std::move(estate), lab_root(), filled, past.last_took);
}

// What repeats one disaster, and nothing else.
std::string line_that_repeats(const Context& context, const TestPlan& options, std::uint64_t seed) {
    std::string line = "kedge plan test " + options.plan;
    if (context.global().estate) line += " --estate " + *context.global().estate;
    for (const auto& [name, value] : options.inputs) line += fmt::format(" -i {}={}", name, value);
    if (options.no_faults) line += " --no-faults";
    return line + fmt::format(" --disasters 1 --seed {}", seed);
}

ExitCode test_plan(Context& context, const TestPlan& options) {
    Console& console = context.console();
    if (options.disasters < 1 || options.percentile < 1 || options.percentile > 100)
        return console.fail("the plan was not tested",
                            Error{Fault::invalid_input, "--disasters is at least 1, --percentile from 1 to 100"});
    const Result<sim::Programme> programme = prepare(context, options.plan, options.inputs);
    if (!programme) return console.fail("the plan was not tested", programme.error());
    const sim::Survey survey =
        sim::make_survey(*programme, {.disasters = static_cast<std::uint64_t>(options.disasters),
                                      .seed = static_cast<std::uint64_t>(options.seed),
                                      .threads = std::max(1U, std::thread::hardware_concurrency()),
                                      .percentile = static_cast<int>(options.percentile),
                                      .trial = {.no_faults = options.no_faults}});
    if (options.html)
        if (const auto written = write_file_atomically(*options.html, sim::as_html(survey), 0644); !written)
            return console.fail("the report was not written", written.error());
    if (console.json())
        console.print_item("PlanTest", sim::as_json(survey));
    else
        console.print(sim::as_text(survey));
    for (const sim::Outcome& story : survey.stories)
        console.note("repeat it: " + line_that_repeats(context, options, story.seed));
    if (survey.broken > 0) return ExitCode::promise_broken;
    return survey.objectives_met() ? ExitCode::ok : ExitCode::objective_missed;
}

struct PlayTabletop {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::int64_t seed = 1;
};

ExitCode play_tabletop(Context& context, const PlayTabletop& options) {
    Console& console = context.console();
    const Result<sim::Programme> programme = prepare(context, options.plan, options.inputs);
    if (!programme) return console.fail("there is no exercise", programme.error());
    const sim::Table table{
        .tell =
            [&](const std::string& line) {
                if (!console.json()) console.print_line(line);
            },
        .decide =
            [&](const std::string& step, const std::string& asks) {
                if (!console.json()) console.print_line(fmt::format("\n  {} asks: {}", step, asks));
                if (!context.may_ask()) {
                    console.note(fmt::format("{}: nobody can be asked here, so it is agreed to", step));
                    return sim::Decision::agree;
                }
                const Result<std::string> answer = context.ask("  agree? [yes/no] ");
                return answer && answer->starts_with("y") ? sim::Decision::agree : sim::Decision::reject;
            }};
    const Result<DrillRecord> record = sim::play_tabletop(*programme, static_cast<std::uint64_t>(options.seed), table);
    if (!record) return console.fail("the exercise came to no end", record.error());
    const Result<std::string> directory = find_lasting_directory(context);
    if (!directory) return console.fail("the report was not written", directory.error());
    const std::string path = fmt::format("{}/reports/{}", *directory, record->id);
    Result<void> kept = make_directories(*directory + "/reports");
    if (kept) kept = write_file_atomically(path + ".md", to_markdown(*record));
    if (kept) kept = write_file_atomically(path + ".json", dump_pretty(to_json(*record)));
    if (!kept) return console.fail("the report was not written", kept.error());
    if (console.json())
        console.print_item("DrillReport", to_json(*record));
    else
        console.note("the report: " + path + ".md");
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> plan_test_commands() {
    return {
        command("plan test", "Put a plan through simulated disasters", test_plan)
            .details("The shipped engine, runner and actions run the plan in a simulated world, each time with another "
                     "loss and other faults. Nothing real is touched, and no target need be armed. The same seed "
                     "gives the same disasters. Exit 17 when a promise was broken, 13 when an objective is missed "
                     "at the percentile.")
            .argument("PLAN", &TestPlan::plan, "its name, or a file", Completes::plans)
            .option("input", "NAME=VALUE", &TestPlan::inputs,
                    "an input of the plan; may be repeated. Regions are filled in, in the estate's order")
            .letter('i')
            .option("disasters", "N", &TestPlan::disasters, "how many; 1000 if not given")
            .option("seed", "S", &TestPlan::seed, "of the first one; 1 if not given")
            .option("percentile", "P", &TestPlan::percentile, "of the times that the objectives judge; 95 if not given")
            .option("html", "FILE", &TestPlan::html, "also write a page with plots", Completes::files)
            .flag("no-faults", &TestPlan::no_faults, "the disaster alone, nothing else going wrong")
            .example("kedge plan test regional-failover --disasters 10000")
            .example("kedge plan test database-failover -i mode=planned --json")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused, ExitCode::objective_missed,
                    ExitCode::promise_broken}),
        command("drill tabletop", "Play a simulated disaster at the table: it stops wherever people decide",
                play_tabletop)
            .details("The story is told as it happens, in simulated time; decisions are asked for at the terminal. "
                     "Where nobody can be asked every step is agreed to. The report says who decided what. Nothing "
                     "real is touched.")
            .argument("PLAN", &PlayTabletop::plan, "its name, or a file", Completes::plans)
            .option("input", "NAME=VALUE", &PlayTabletop::inputs,
                    "an input of the plan; may be repeated. Regions are filled in, in the estate's order")
            .letter('i')
            .option("seed", "S", &PlayTabletop::seed, "which disaster; 1 if not given")
            .example("kedge drill tabletop regional-failover --seed 3")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused})};
}

}  // namespace kedge
