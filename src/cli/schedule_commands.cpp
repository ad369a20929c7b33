// schedule install, list, remove: plans that run by themselves, by timers of systemd.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "actions/action.h"
#include "cli/asking.h"
#include "cli/commands.h"
#include "cli/schedules.h"
#include "cli/table.h"
#include "os/files.h"
#include "os/process.h"
#include "plan/bind.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

struct InstallSchedule {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::optional<std::string> at;
    Span spread = 10min;
    Span limit = 4h;
    std::vector<std::string> alert;
    std::optional<std::string> metrics_file, pushgateway;
    std::string units{system_units};
    bool dry_run = false;
};

// The units take effect only where systemd runs and reads them.
bool is_live(const std::string& directory) {
    return directory == system_units && exists("/run/systemd/system");
}

Result<void> systemctl(Arguments arguments) {
    arguments.insert(arguments.begin(), "systemctl");
    TRY(run_or_fail(arguments, within(1min)));
    return {};
}

// What the service carries out: this program, with the same estate, plans and state.
Result<std::vector<std::string>> own_command(const Context& context, const std::string& plan_file) {
    namespace fs = std::filesystem;
    const std::string estate = TRY(find_estate_file(context)), state = TRY(find_state_directory(context));
    std::vector<std::string> command{context.around().executable, "--estate", fs::absolute(estate).string(), "--state",
                                     fs::absolute(state).string()};
    if (!plan_file.empty()) command.insert(command.end(), {"--plans", fs::absolute(plan_file).parent_path().string()});
    command.push_back("schedule");
    return command;
}

Result<ScheduledPlan> wanted(const Context& context, const InstallSchedule& options) {
    const Estate estate = TRY(find_estate(context));
    const std::string file = TRY(find_plan_file(context, options.plan));
    const Plan plan = TRY(find_plan(context, options.plan));
    if (const Parsed<BoundPlan> bound = bind_plan(plan, options.inputs, estate, catalogue()); !bound)
        return bound.mistakes().error();
    // The service runs as whoever installs it, and asks for the run in that person's name.
    TRY(find_asker(context, estate, false));
    if (plan.gate)
        return Error{Fault::refused, fmt::format("plan {} begins only when people agree: nobody is there", plan.name)};
    for (const std::string& name : options.alert) {
        const Target* channel = estate.target(name);
        if (channel == nullptr || channel->kind != TargetKind::channel)
            return Error{Fault::not_found, fmt::format("estate {} has no channel '{}'", estate.name, name)};
    }
    std::optional<Occasion> at = usual_occasion(plan.name);
    if (options.at) at = TRY(parse_occasion(*options.at));
    if (!at)
        return Error{Fault::invalid_input, fmt::format("plan {} has no usual time", plan.name),
                     "say when: --at 06:00, or --at 'Sun 04:00', in UTC"};
    std::vector<std::string> command = TRY(own_command(context, file));
    command.insert(command.end(), {"run", plan.name});
    for (const auto& [name, value] : options.inputs) command.insert(command.end(), {"--input", name + "=" + value});
    command.insert(command.end(), {"--units", options.units});
    if (options.metrics_file) command.insert(command.end(), {"--metrics-file", *options.metrics_file});
    if (options.pushgateway) command.insert(command.end(), {"--pushgateway", *options.pushgateway});
    return ScheduledPlan{.schedule = {.plan = plan.name,
                                      .at = *at,
                                      .spread = options.spread,
                                      .limit = options.limit,
                                      .since = context.now()},
                         .alert = options.alert,
                         .command = std::move(command)};
}

// All that are to be written, ours where they are there already.
Result<UnitFiles> checked_units(const Context& context, ScheduledPlan plan, const std::string& directory) {
    const std::string service = service_name(plan.schedule.plan);
    // An occasion that was owed before is owed still.
    if (const auto before = TRY(own_unit(directory, service)))
        if (const Result<ScheduledPlan> read = read_units(*before);
            read && to_string(read->schedule.at) == to_string(plan.schedule.at))
            plan.schedule.since = read->schedule.since;
    UnitFiles files = units_of(plan);
    std::vector<std::string> overdue = TRY(own_command(context, ""));
    overdue.insert(overdue.end(), {"overdue", "--units", directory});
    files.merge(units_of_overdue(overdue));
    for (const auto& [name, content] : files) TRY(own_unit(directory, name));
    return files;
}

ExitCode install(Context& context, const InstallSchedule& options) {
    Console& console = context.console();
    const std::string_view what = "nothing was scheduled";
    const Result<ScheduledPlan> plan = wanted(context, options);
    if (!plan) return console.fail(what, plan.error());
    const Result<UnitFiles> files = checked_units(context, *plan, options.units);
    if (!files) return console.fail(what, files.error());
    Json items = Json::array();
    for (const auto& [name, content] : *files) {
        const std::string path = options.units + "/" + name;
        items.push_back({{"path", path}, {"content", content}});
        if (options.dry_run && !console.json()) console.print_line(fmt::format("# {}\n{}", path, content));
        if (options.dry_run) continue;
        if (const auto written = write_file_atomically(path, content, 0644); !written)
            return console.fail("the units are not complete", written.error());
    }
    if (console.json()) console.print_items("Units", std::move(items));
    if (options.dry_run) return ExitCode::ok;
    const std::string timer = timer_name(plan->schedule.plan);
    if (!is_live(options.units)) {
        console.note(
            fmt::format("systemd does not read {0} here; where it does: systemctl daemon-reload && systemctl "
                        "enable --now {1} {2}",
                        options.units, timer, overdue_timer));
    } else {
        for (const Arguments& order :
             {Arguments{"daemon-reload"}, Arguments{"enable", "--now", timer, std::string(overdue_timer)}})
            if (const auto done = systemctl(order); !done)
                return console.fail("the units are written and not in force", done.error());
    }
    if (!console.json())
        console.print_line(fmt::format("{} runs {} UTC, next at {} or up to {} later", plan->schedule.plan,
                                       to_string(plan->schedule.at), to_string(plan->schedule.at.next(context.now())),
                                       readable(plan->schedule.spread)));
    if (options.alert.empty()) console.warn("nobody is told when it fails or does not run: name channels with --alert");
    return ExitCode::ok;
}

struct ListSchedules {
    std::string units{system_units};
};

Json json_of(const ScheduledPlan& plan, const ScheduleLook& look, std::vector<Json> told) {
    Json item = {{"plan", plan.schedule.plan},           {"at", to_string(plan.schedule.at)},
                 {"standing", to_string(look.standing)}, {"says", look.says},
                 {"next_due", to_string(look.next_due)}, {"alert", plan.alert}};
    if (look.last_due) item["last_due"] = to_string(*look.last_due);
    if (look.success) item["last_success"] = to_string(*look.success->ended);
    if (look.newest) item["newest_run"] = look.newest->id;
    item["told"] = std::move(told);
    return item;
}

Mark mark_of_standing(DueState standing) {
    switch (standing) {
        case DueState::waiting: return {"○", "o", "waiting", Tone::faint};
        case DueState::due: return {"◷", "~", "due", Tone::plain};
        case DueState::done: return {"✔", "+", "done", Tone::good};
        case DueState::failed: return {"✖", "x", "failed", Tone::bad};
        case DueState::overdue: return {"✖", "x", "overdue", Tone::bad};
    }
    return {};
}

ExitCode list(Context& context, const ListSchedules& options) {
    Console& console = context.console();
    const std::string_view what = "the schedules cannot be listed";
    const Result<std::vector<ScheduledPlan>> plans = scheduled_plans(options.units);
    if (!plans) return console.fail(what, plans.error());
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    if (!journal) return console.fail(what, journal.error());
    const Result<std::string> state = find_state_directory(context);
    if (!state) return console.fail(what, state.error());
    const Alarms alarms(alarms_file(*state));
    Table table({{"PLAN"}, {"AT (UTC)"}, {"STANDS"}, {"NEXT"}, {"SAYS"}});
    Json items = Json::array();
    bool is_well = true;
    for (const ScheduledPlan& plan : *plans) {
        const ScheduleLook look =
            look_at_schedule(plan.schedule, runs_of(journal->get(), plan.schedule.plan), context.now());
        is_well = is_well && look.standing != DueState::failed && look.standing != DueState::overdue;
        Result<std::vector<Json>> told = alarms.newest(plan.schedule.plan);
        if (!told) return console.fail(what, told.error());
        table.add({plan.schedule.plan, to_string(plan.schedule.at),
                   Cell::of(mark_of_standing(look.standing), console.out()), to_string(look.next_due).substr(0, 16),
                   look.says});
        items.push_back(json_of(plan, look, std::move(*told)));
    }
    if (console.json())
        console.print_items("ScheduleList", std::move(items));
    else if (table.empty())
        console.note("nothing is scheduled; begin with `kedge schedule install PLAN`");
    else
        console.print(table.rendered(console.out()));
    return is_well ? ExitCode::ok : ExitCode::negative;
}

struct RemoveSchedule {
    std::string plan;
    std::string units{system_units};
};

Result<std::vector<std::string>> units_to_remove(const std::string& directory, const std::string& plan) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) -> Result<void> {
        if (TRY(own_unit(directory, name))) names.push_back(name);
        return {};
    };
    TRY(add(timer_name(plan)));
    TRY(add(service_name(plan)));
    if (names.empty()) return Error{Fault::not_found, fmt::format("plan {} is not scheduled in {}", plan, directory)};
    const std::vector<ScheduledPlan> all = TRY(scheduled_plans(directory));
    if (std::ranges::all_of(all, [&](const ScheduledPlan& one) { return one.schedule.plan == plan; })) {
        TRY(add(std::string(overdue_timer)));
        TRY(add(std::string(overdue_service)));
    }
    return names;
}

ExitCode remove(Context& context, const RemoveSchedule& options) {
    Console& console = context.console();
    const Result<std::vector<std::string>> names = units_to_remove(options.units, options.plan);
    if (!names) return console.fail("nothing was removed", names.error());
    const bool live = is_live(options.units);
    for (const std::string& name : *names) {
        if (live && name.ends_with(".timer"))
            if (const auto done = systemctl({"disable", "--now", name}); !done)
                return console.fail("not everything was removed", done.error());
        std::error_code error;
        std::filesystem::remove(options.units + "/" + name, error);
        if (error)
            return console.fail("not everything was removed",
                                {Fault::unavailable, fmt::format("{}/{}: {}", options.units, name, error.message())});
        if (!console.json()) console.print_line(fmt::format("removed {}/{}", options.units, name));
    }
    if (live)
        if (const auto done = systemctl({"daemon-reload"}); !done)
            return console.fail("the units are removed and systemd does not know it", done.error());
    if (console.json()) console.print_items("Removed", Json(*names));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> schedule_commands() {
    return {
        command("schedule install", "Have a plan run by itself, by a timer of systemd", install)
            .details("Writes a timer and a service for the plan, and one of each that looks every hour for plans that "
                     "did not run; units of others are never touched. daily-verification and weekly-verification run "
                     "at the runbook's times unless --at says otherwise. Secrets that the estate names by env: stand "
                     "in /etc/kedge/environment.")
            .argument("PLAN", &InstallSchedule::plan, "its name, or a file", Completes::plans)
            .option("input", "NAME=VALUE", &InstallSchedule::inputs, "an input of the plan; may be repeated")
            .letter('i')
            .option("at", "WHEN", &InstallSchedule::at, "06:00, or 'Sun 04:00'; in UTC")
            .option("spread", "SPAN", &InstallSchedule::spread, "begin up to so much later, by chance")
            .option("limit", "SPAN", &InstallSchedule::limit, "overdue if it has not succeeded so long after that")
            .option("alert", "CHANNEL", &InstallSchedule::alert, "tell it of failures; may be repeated",
                    Completes::targets)
            .option("metrics-file", "FILE", &InstallSchedule::metrics_file,
                    "write figures there, for the node exporter: *.prom", Completes::files)
            .option("pushgateway", "URL", &InstallSchedule::pushgateway, "push the figures to it")
            .option("units", "DIRECTORY", &InstallSchedule::units, "where the units are written", Completes::files)
            .flag("dry-run", &InstallSchedule::dry_run, "show the units and write nothing")
            .example("kedge schedule install daily-verification --alert pager --alert chat")
            .example("kedge schedule install weekly-verification --dry-run")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused}),
        command("schedule list", "What is due, done, failed, overdue", list)
            .details("Judged by the runs in the journal. Exit 15 if a plan failed or did not run in time.")
            .option("units", "DIRECTORY", &ListSchedules::units, "where the units lie", Completes::files)
            .example("kedge schedule list")
            .exits({ExitCode::negative}),
        command("schedule remove", "Have a plan no longer run by itself", remove)
            .argument("PLAN", &RemoveSchedule::plan, "its name", Completes::plans)
            .option("units", "DIRECTORY", &RemoveSchedule::units, "where the units lie", Completes::files)
            .example("kedge schedule remove weekly-verification")
            .exits({ExitCode::not_found, ExitCode::refused})};
}

}  // namespace kedge
