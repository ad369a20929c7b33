// run start, resume, watch: runs that go on while one looks.

#include <fmt/format.h>

#include <algorithm>

#include "actions/action.h"
#include "base/digest.h"
#include "cli/asking.h"
#include "cli/commands.h"
#include "cli/control.h"
#include "cli/finding.h"
#include "cli/follow.h"
#include "cli/run_view.h"
#include "os/wait.h"
#include "plan/bind.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

struct StartRun {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::string mode;
    std::string reason;
    std::string confirm;
    std::optional<Span> timeout;
    bool detach = false;
    bool play_people = false;
};

std::string log_of(const std::string& directory, const RunId& id) {
    return fmt::format("{}/logs/{}.log", directory, id);
}

// What the plan's gate wants to have typed, from the option or from the keyboard. What was typed is judged by
// `start_run`.
Result<std::string> confirmation(Context& context, const Plan& plan, const StartRun& options, Mode mode) {
    if (!options.confirm.empty() || !plan.gate || plan.gate->confirm.empty() || mode == Mode::rehearse)
        return options.confirm;
    if (options.play_people) return plan.gate->confirm;
    if (!context.may_ask())
        return Error{Fault::refused,
                     fmt::format("plan {} starts only when '{}' was typed", plan.name, plan.gate->confirm),
                     fmt::format("pass --confirm {}", plan.gate->confirm)};
    if (!plan.gate->says.empty()) context.console().note(printable(plan.gate->says));
    return context.ask(fmt::format("Type {} to start {}:", plan.gate->confirm, plan.name));
}

// Waits a moment for the detached run to come to rest: it may stand at its first gate.
ExitCode state_after_start(const Journal& journal, const RunId& id) {
    const Until until = within(1s);
    while (true) {
        const Result<LoadedRun> run = load_run(journal, id, lab_root());
        if (run && run->state.result()) return exit_code_of_run(run->state);
        if (run && !steps_for_people(run->state).empty()) return ExitCode::waiting;
        if (!wait_out(within(50ms)) || SystemClock().now() >= until.deadline) return ExitCode::ok;
    }
}

ExitCode detach(Context& context, const SqliteJournal& journal, const RunId& id, const ControlOptions& options) {
    Console& console = context.console();
    const Result<std::string> directory = find_state_directory(context);
    if (!directory) return console.fail(fmt::format("run {} has no controller", id), directory.error());
    const Result<void> left = leave_to_child(context, journal, id, log_of(*directory, id), options);
    if (!left) return console.fail(fmt::format("run {} has no controller", id), left.error());
    const ExitCode code = state_after_start(journal, id);
    if (console.json())
        console.print_item("RunStarted", {{"id", id}, {"waiting", code == ExitCode::waiting}});
    else
        console.print_line(id);
    console.note(fmt::format("it goes on by itself{}: kedge run watch {}",
                             code == ExitCode::waiting ? " and waits for people" : "", id));
    return code;
}

ExitCode start(Context& context, const StartRun& options) {
    Console& console = context.console();
    const std::string_view what = "the run was not started; nothing was changed";
    const Mode mode = parse_mode(options.mode).value_or(Mode::live);
    const Result<Estate> estate = find_estate(context);
    if (!estate) return console.fail(what, estate.error());
    const Result<std::string> file = find_plan_file(context, options.plan);
    if (!file) return console.fail(what, file.error());
    const Result<Parsed<Plan>> plan = read_plan(*file);
    if (!plan) return console.fail(what, plan.error());
    if (!*plan) return console.fail(what, plan->mistakes());
    if (const Parsed<BoundPlan> bound = bind_plan(**plan, options.inputs, *estate, catalogue()); !bound)
        return console.fail(what, bound.mistakes());
    const Result<Asker> asker = find_asker(context, *estate, options.play_people);
    if (!asker) return console.fail(what, asker.error());
    const Result<std::string> confirm = confirmation(context, **plan, options, mode);
    if (!confirm) return console.fail(what, confirm.error());

    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_write(context);
    if (!journal) return console.fail(what, journal.error());
    Result<ControlledRun> run = start_run(**journal, **plan, *estate,
                                          {.inputs = options.inputs,
                                           .mode = mode,
                                           .requester = asker->person,
                                           .reason = options.reason,
                                           .confirm = *confirm,
                                           .played = asker->played},
                                          controller_name(), context.now());
    if (!run) return console.fail(what, run.error());
    const ControlOptions control{.timeout = options.timeout, .plays_people = options.play_people};
    if (!options.detach) return control_run(context, **journal, std::move(*run), control);
    const RunId id = run->state.id();
    run->claim.reset();
    return detach(context, **journal, id, control);
}

struct ResumeRun {
    std::string run;
    std::optional<Span> timeout;
    bool detach = false;
    bool play_people = false;
};

// A run that stands because a person paused it goes on by a request, whoever controls it.
Result<void> lift_pause(Context& context, Journal& journal, const LoadedRun& run) {
    if (run.state.phase() != RunPhase::paused) return {};
    const Asker asker = TRY(find_asker(context, *run.estate, false));
    return journal.ask(new_request(context, asker, run.state.id(), "", "resume", "", ""));
}

ExitCode resume(Context& context, const ResumeRun& options) {
    Console& console = context.console();
    const std::string what = fmt::format("run {} was not resumed", options.run);
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail(what, journal.error());
    const Result<LoadedRun> loaded = load_run(**journal, options.run, lab_root());
    if (!loaded) return console.fail(what, loaded.error());
    const Result<std::unique_ptr<SqliteJournal>> writable = journal_to_write(context);
    if (!writable) return console.fail(what, writable.error());
    const Result<std::vector<RunRecord>> records = (*writable)->runs();
    if (!records) return console.fail(what, records.error());
    const auto record = std::ranges::find(*records, options.run, &RunRecord::id);
    const bool controlled = record != records->end() && record->controller;
    if (controlled && loaded->state.phase() == RunPhase::paused)
        return ask_and_wait(context, **writable, *loaded, {.verb = "resume"});
    if (const Result<void> lifted = lift_pause(context, **writable, *loaded); !lifted)
        return console.fail(what, lifted.error());
    const ControlOptions control{.timeout = options.timeout, .plays_people = options.play_people};
    if (options.detach && !controlled && !loaded->state.result())
        return detach(context, **writable, options.run, control);
    Result<ControlledRun> run = resume_run(**writable, options.run, controller_name(), lab_root(), context.now());
    if (!run) return console.fail(what, run.error());
    return control_run(context, **writable, std::move(*run), control);
}

struct WatchRun {
    std::string run;
    std::optional<Span> timeout;
};

ExitCode watch(Context& context, const WatchRun& options) {
    Console& console = context.console();
    const std::string what = fmt::format("run {} cannot be watched", options.run);
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail(what, journal.error());
    Result<LoadedRun> run = open_run(**journal, options.run, lab_root());
    if (!run) return console.fail(what, run.error());
    context.around().catch_interrupt();
    const Result<FollowEnd> end = follow(context, **journal, run->state, {.timeout = options.timeout});
    if (!end) return console.fail(what, end.error());
    switch (*end) {
        case FollowEnd::ended: conclude(context, run->state); return exit_code_of_run(run->state);
        case FollowEnd::interrupted:
        case FollowEnd::stopped: console.note(fmt::format("run {} goes on", options.run)); return ExitCode::interrupted;
        case FollowEnd::timed_out:
            console.note(
                fmt::format("run {} goes on; it has not ended within {}", options.run, readable(*options.timeout)));
            return exit_code_of_run(run->state);
        case FollowEnd::no_controller:
            conclude(context, run->state);
            return console.fail(fmt::format("run {} has no controller", options.run),
                                {Fault::unavailable, "the process that advanced it is gone; the run stays as it is",
                                 fmt::format("kedge run resume {}", options.run)});
    }
    return ExitCode::failed;
}

const std::vector<ExitCode> ends_of_runs = {ExitCode::refused,         ExitCode::compensated, ExitCode::not_compensated,
                                            ExitCode::outcome_unknown, ExitCode::timed_out,   ExitCode::interrupted};

std::vector<ExitCode> ends_of_runs_and(std::vector<ExitCode> more) {
    more.insert(more.end(), ends_of_runs.begin(), ends_of_runs.end());
    return more;
}

}  // namespace

std::vector<Command> run_start_commands() {
    return {command("run start", "Begin a run and stay with it as its controller", start)
                .details("Ctrl-C stops the controller after what it is doing; the run stays as it is and goes on with "
                         "`kedge run resume`. A rehearsal only looks and changes nothing.")
                .argument("PLAN", &StartRun::plan, "its name, or a file", Completes::plans)
                .option("input", "NAME=VALUE", &StartRun::inputs, "an input; may be repeated")
                .letter('i')
                .option("mode", "MODE", &StartRun::mode, "live if not given")
                .choices({"live", "drill", "rehearse"})
                .option("reason", "TEXT", &StartRun::reason, "why, for the journal")
                .option("confirm", "TEXT", &StartRun::confirm, "what the plan's gate wants to have typed")
                .option("timeout", "SPAN", &StartRun::timeout, "stop controlling it after so long")
                .flag("detach", &StartRun::detach, "leave it to a kedge in the background")
                .letter('d')
                .flag("play-people", &StartRun::play_people, "in a lab: let its people be played")
                .example("kedge run start regional-failover -i from=us-east-1 -i to=us-west-2")
                .exits(ends_of_runs_and({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed,
                                         ExitCode::conflict, ExitCode::waiting})),
            command("run resume", "Let a paused run go on, or take up one without a controller", resume)
                .argument("RUN", &ResumeRun::run, "its id", Completes::runs)
                .option("timeout", "SPAN", &ResumeRun::timeout, "stop controlling it after so long")
                .flag("detach", &ResumeRun::detach, "leave it to a kedge in the background")
                .letter('d')
                .flag("play-people", &ResumeRun::play_people, "in a lab: let its people be played")
                .example("kedge run resume r-7k2f9c")
                .exits(ends_of_runs_and(
                    {ExitCode::not_found, ExitCode::not_allowed, ExitCode::conflict, ExitCode::waiting})),
            command("run watch", "Follow a run until it ends", watch)
                .argument("RUN", &WatchRun::run, "its id", Completes::runs)
                .option("timeout", "SPAN", &WatchRun::timeout, "give up after so long; the run goes on")
                .example("kedge run watch r-7k2f9c --timeout 30m")
                .exits(ends_of_runs_and({ExitCode::not_found, ExitCode::negative}))};
}

}  // namespace kedge
