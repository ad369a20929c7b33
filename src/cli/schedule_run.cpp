// schedule run, overdue: what the timers carry out, and how people hear of it.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/schedules.h"
#include "cli/wiring.h"
#include "response/run_figures.h"
#include "runner/runs.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span push_limit = 30s;

// What both commands need to tell people.
struct Telling {
    Estate estate;
    Targets targets;
    Alarms alarms;
};

Result<Telling> prepare(const Context& context) {
    Estate estate = TRY(find_estate(context));
    const std::string state = TRY(find_state_directory(context));
    Targets targets = TRY(bind_targets(estate, state));
    return Telling{std::move(estate), std::move(targets), Alarms(alarms_file(state))};
}

// True if everybody who should hear of it has been told.
Result<bool> tell(Context& context, Telling& telling, const ScheduledPlan& plan, const ScheduleLook& look) {
    const std::vector<Delivery> deliveries =
        TRY(telling.alarms.tell(telling.estate.name, plan.schedule, look, plan.alert, telling.targets, context.now()));
    bool all = true;
    for (const Delivery& delivery : deliveries) {
        all = all && delivery.handed_over;
        const std::string line = fmt::format("{} to {}: {}", delivery.handed_over ? "told" : "could not tell",
                                             delivery.channel, delivery.says);
        delivery.handed_over ? context.console().note(line) : context.console().warn(line);
    }
    return all;
}

Result<ScheduledPlan> find_scheduled(const std::string& directory, const std::string& name) {
    for (ScheduledPlan& plan : TRY(scheduled_plans(directory)))
        if (plan.schedule.plan == name) return std::move(plan);
    return Error{Fault::not_found, fmt::format("plan {} is not scheduled in {}", name, directory),
                 fmt::format("kedge schedule install {}", name)};
}

struct RunScheduled {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::string units{system_units};
    std::optional<std::string> metrics_file, pushgateway;
};

// The run itself, as a person would start it; its exit code.
int carry_out(Context& context, const RunScheduled& options) {
    std::vector<std::string> words{"run", "start", options.plan, "--reason", "scheduled", "--no-input"};
    for (const auto& [name, value] : options.inputs) words.insert(words.end(), {"--input", name + "=" + value});
    const GlobalOptions& global = context.global();
    for (const auto& [name, value] :
         {std::pair{"--estate", global.estate}, std::pair{"--state", global.state}, std::pair{"--plans", global.plans}})
        if (value) words.insert(words.end(), {name, *value});
    return run_program(words, context.around());
}

// How the plan stands now. A run that did not even begin stands nowhere in the journal.
Result<ScheduleLook> look_after(Context& context, const Schedule& schedule, Moment began, int code) {
    const std::unique_ptr<SqliteJournal> journal = TRY(journal_to_read(context));
    std::vector<ScheduledRun> runs = runs_of(journal.get(), schedule.plan);
    if (code != 0 && (runs.empty() || runs.back().started < began))
        runs.push_back(
            {.id = "at " + to_string(began),
             .started = began,
             .ended = context.now(),
             .succeeded = false,
             .says = fmt::format("it did not begin; exit code {}: {}", code, meaning(static_cast<ExitCode>(code))),
             .is_recorded = false});
    return look_at_schedule(schedule, runs, context.now());
}

Result<void> publish(Context& context, const RunScheduled& options, const ScheduleLook& look) {
    if (!options.metrics_file && !options.pushgateway) return {};
    const std::unique_ptr<SqliteJournal> journal = TRY(journal_to_read(context));
    std::optional<LoadedRun> run;
    if (journal && look.newest)
        if (Result<LoadedRun> loaded = load_run(*journal, look.newest->id, lab_root())) run = std::move(*loaded);
    const std::vector<Gauge> gauges = run_figures(options.plan, look, run ? &run->state : nullptr);
    if (options.metrics_file) TRY(write_textfile(*options.metrics_file, gauges));
    if (options.pushgateway)
        TRY(push_to_gateway(*options.pushgateway, "kedge", {{"plan", options.plan}}, gauges, within(push_limit)));
    return {};
}

ExitCode run_scheduled(Context& context, const RunScheduled& options) {
    Console& console = context.console();
    const std::string_view what = "the plan did not run";
    const Result<ScheduledPlan> plan = find_scheduled(options.units, options.plan);
    if (!plan) return console.fail(what, plan.error());
    const Moment began = context.now();
    const int code = carry_out(context, options);
    const Result<ScheduleLook> look = look_after(context, plan->schedule, began, code);
    if (!look) return console.fail("how the plan ended is not known", look.error());
    ExitCode end = static_cast<ExitCode>(code);
    const auto also = [&](std::string_view failed, const Error& error) {
        const ExitCode other = console.fail(failed, error);
        if (end == ExitCode::ok) end = other;
    };
    Result<Telling> telling = prepare(context);
    if (!telling) {
        also("nobody was told", telling.error());
    } else {
        const Result<bool> told = tell(context, *telling, *plan, *look);
        if (!told) also("nobody was told", told.error());
        if (told && !*told && end == ExitCode::ok) end = ExitCode::failed;
    }
    if (const auto published = publish(context, options, *look); !published)
        also("the figures were not published", published.error());
    return end;
}

struct TellOverdue {
    std::string units{system_units};
};

ExitCode tell_overdue(Context& context, const TellOverdue& options) {
    Console& console = context.console();
    const std::string_view what = "nobody was told";
    const Result<std::vector<ScheduledPlan>> plans = scheduled_plans(options.units);
    if (!plans) return console.fail(what, plans.error());
    Result<Telling> telling = prepare(context);
    if (!telling) return console.fail(what, telling.error());
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    if (!journal) return console.fail(what, journal.error());
    bool is_well = true, all_told = true;
    Json items = Json::array();
    for (const ScheduledPlan& plan : *plans) {
        const ScheduleLook look =
            look_at_schedule(plan.schedule, runs_of(journal->get(), plan.schedule.plan), context.now());
        is_well = is_well && look.standing != DueState::failed && look.standing != DueState::overdue;
        items.push_back({{"plan", plan.schedule.plan}, {"standing", to_string(look.standing)}, {"says", look.says}});
        if (!console.json())
            console.print_line(fmt::format("{} {}: {}", plan.schedule.plan, to_string(look.standing), look.says));
        const Result<bool> told = tell(context, *telling, plan, look);
        if (!told) return console.fail(what, told.error());
        all_told = all_told && *told;
    }
    if (console.json()) console.print_items("ScheduleList", std::move(items));
    if (!all_told) return ExitCode::failed;
    return is_well ? ExitCode::ok : ExitCode::negative;
}

}  // namespace

std::vector<Command> schedule_run_commands() {
    return {
        command("schedule run", "Run a scheduled plan now, as its timer does, and tell of failure", run_scheduled)
            .details("The channels of its schedule are told when it failed, and that it is well again when it "
                     "succeeds after that.")
            .argument("PLAN", &RunScheduled::plan, "its name", Completes::plans)
            .option("input", "NAME=VALUE", &RunScheduled::inputs, "an input; may be repeated")
            .letter('i')
            .option("units", "DIRECTORY", &RunScheduled::units, "where the units lie", Completes::files)
            .option("metrics-file", "FILE", &RunScheduled::metrics_file, "write figures there: *.prom",
                    Completes::files)
            .option("pushgateway", "URL", &RunScheduled::pushgateway, "push the figures to it")
            .example("kedge schedule run daily-verification")
            .exits({ExitCode::not_found, ExitCode::compensated, ExitCode::not_compensated, ExitCode::outcome_unknown}),
        command("schedule overdue", "Tell of scheduled plans that failed or did not run in time", tell_overdue)
            .details("Each channel is told once of each failure, and once that it is over. Exit 15 if a plan failed "
                     "or is overdue, 1 if somebody could not be told.")
            .option("units", "DIRECTORY", &TellOverdue::units, "where the units lie", Completes::files)
            .example("kedge schedule overdue")
            .exits({ExitCode::negative})};
}

}  // namespace kedge
