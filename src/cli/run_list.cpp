// run list, run show: runs as the journal tells them.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/run_view.h"
#include "cli/table.h"
#include "runner/runs.h"

namespace kedge {
namespace {

struct ListRuns {
    bool open = false;
    bool names = false;
    std::int64_t limit = 20;
};

// Open runs, and the newest of the others, newest first.
std::vector<RunRecord> chosen(std::vector<RunRecord> runs, const ListRuns& options) {
    std::ranges::reverse(runs);
    std::vector<RunRecord> list;
    std::int64_t ended = 0;
    for (RunRecord& run : runs) {
        if (is_drill(run.id)) continue;
        if (!run.ended || (!options.open && ended++ < options.limit)) list.push_back(std::move(run));
    }
    return list;
}

std::string short_time(Moment moment) {  // 2026-11-23 14:00:12Z
    std::string text = to_string(moment).substr(0, 19);
    text[10] = ' ';
    return text + "Z";
}

ExitCode list_runs(Context& context, const ListRuns& options) {
    Console& console = context.console();
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    if (!journal) return console.fail("the runs cannot be listed", journal.error());
    std::vector<RunRecord> records;
    if (*journal) {
        Result<std::vector<RunRecord>> runs = (*journal)->runs();
        if (!runs) return console.fail("the runs cannot be listed", runs.error());
        records = chosen(std::move(*runs), options);
    }
    if (options.names) {
        for (const RunRecord& record : records) console.print_line(record.id);
        return ExitCode::ok;
    }
    Table table({{"RUN"}, {"PLAN"}, {"MODE"}, {"STATE"}, {"STARTED"}, {"TOOK", Align::right}, {"REQUESTER"}});
    Json items = Json::array();
    for (const RunRecord& record : records) {
        const Result<LoadedRun> run = load_run(**journal, record.id, lab_root());
        if (!run) {
            console.warn(fmt::format("run {}: {}", record.id, run.error().message));
            items.push_back({{"id", record.id}, {"ended", record.ended}, {"unreadable", run.error().message}});
            table.add({record.id, "", "", Cell::of(mark_of(Truth::unknown), console.out()), "", "", ""});
            continue;
        }
        const RunState& state = run->state;
        Json item = run_json(state, record.controller);
        item.erase("steps");
        items.push_back(std::move(item));
        table.add({record.id, state.plan().name, std::string(to_string(state.header().mode)),
                   Cell::of(mark_of(state.phase(), state.result()), console.out()), short_time(state.started_at()),
                   readable(state.ended_at().value_or(context.now()) - state.started_at()), state.header().requester});
    }
    if (console.json())
        console.print_items("RunList", std::move(items));
    else if (table.empty())
        console.note("there are no runs yet; begin one with `kedge run start PLAN`");
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

struct ShowRun {
    std::string run;
    bool evidence = false;
};

std::optional<std::string> controller_of(const Journal& journal, const RunId& id) {
    const Result<std::vector<RunRecord>> runs = journal.runs();
    if (!runs) return std::nullopt;
    const auto record = std::ranges::find(*runs, id, &RunRecord::id);
    return record == runs->end() ? std::nullopt : record->controller;
}

void print_head(Console& console, const RunState& state, const std::optional<std::string>& controller, Moment now) {
    const Surface& surface = console.out();
    const RunHeader& header = state.header();
    console.print_line(fmt::format("{} {}  {}", painted(state.id(), Tone::strong, surface),
                                   printable(state.plan().name),
                                   shown(mark_of(state.phase(), state.result()), surface)));
    const auto line = [&](std::string_view name, const std::string& text) {
        if (!text.empty())
            console.print_line(
                fmt::format("  {} {}", painted(padded(name, 10), Tone::faint, surface), printable(text)));
    };
    std::vector<std::string> inputs;
    for (const auto& [name, value] : header.inputs) inputs.push_back(name + "=" + value);
    line("says", state.phase_says());
    line("mode", std::string(to_string(header.mode)));
    line("inputs", fmt::format("{}", fmt::join(inputs, " ")));
    line("by", header.requester + (header.played ? " (played by the lab)" : ""));
    line("reason", header.reason);
    line("started", short_time(state.started_at()));
    line("took", readable(state.ended_at().value_or(now) - state.started_at()));
    if (state.phase() != RunPhase::ended)
        line("controller", controller ? fmt::format("{}, epoch {}", *controller, state.epoch())
                                      : fmt::format("none is alive: kedge run resume {}", state.id()));
}

void print_steps(Console& console, const RunState& state, bool with_evidence, Moment now) {
    Table table({{"STEP"}, {"STATE"}, {"TOOK", Align::right}, {"SAYS"}});
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        const auto took = time_taken(record, now);
        std::string says = record.state == StepState::waiting ? still_needed(state, i) : record.says;
        if (record.state == StepState::pending) says = doing(state.bound(i));
        table.add({state.bound(i).id, Cell::of(mark_of(record.state), console.out()), took ? readable(*took) : "",
                   Cell(says, record.state == StepState::pending ? Tone::faint : Tone::plain)});
        if (!with_evidence) continue;
        for (const auto& [name, value] : record.evidence->items())
            table.add({"", "", "",
                       Cell(fmt::format("{}: {}", name, value.is_string() ? value.get<std::string>() : dump(value)),
                            Tone::faint)});
    }
    console.print_line();
    console.print(table.rendered(console.out()));
}

void print_what_is_open(Console& console, const RunState& state) {
    for (const std::size_t step : steps_for_people(state)) {
        const StepRecord& record = state.record(step);
        const Mark mark = mark_of(record.state);
        const std::string asks = record.state == StepState::waiting ? record.asks : record.says;
        console.print_line();
        console.print_line(
            painted(fmt::format("{} {}", glyph(mark, console.out()), state.bound(step).id), mark.tone, console.out()) +
            (asks.empty() ? "" : "  " + printable(asks)));
        console.print_line("  " + answer_command(state, step));
    }
    const std::vector<OpenObligation> owed = state.obligations();
    if (owed.empty()) return;
    console.print_line();
    for (const OpenObligation& open : owed)
        console.print_line(
            painted("owed: ", Tone::alarm, console.out()) +
            printable(fmt::format("{} (since {}, by step {}{})", open.says, short_time(open.since), open.step,
                                  open.owner.empty() ? "" : ", taken over by " + open.owner)));
}

ExitCode show_run(Context& context, const ShowRun& options) {
    Console& console = context.console();
    const std::string what = fmt::format("run {} cannot be shown", options.run);
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail(what, journal.error());
    const Result<LoadedRun> run = load_run(**journal, options.run, lab_root());
    if (!run) return console.fail(what, run.error());
    const std::optional<std::string> controller = controller_of(**journal, options.run);
    if (console.json()) {
        console.print_item("Run", run_json(run->state, controller));
        return ExitCode::ok;
    }
    print_head(console, run->state, controller, context.now());
    print_steps(console, run->state, options.evidence, context.now());
    print_what_is_open(console, run->state);
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> run_list_commands() {
    return {command("run list", "List runs: those that go on, then the newest that ended", list_runs)
                .flag("open", &ListRuns::open, "only those that go on")
                .option("limit", "NUMBER", &ListRuns::limit, "how many that ended; 20 if not given")
                .flag("names", &ListRuns::names, "only their ids, one a line")
                .example("kedge run list --open"),
            command("run show", "Show a run: its steps, whom it waits for, what it owes", show_run)
                .argument("RUN", &ShowRun::run, "its id", Completes::runs)
                .flag("evidence", &ShowRun::evidence, "also what each step found")
                .example("kedge run show r-7k2f9c --evidence")
                .exits({ExitCode::not_found, ExitCode::negative})};
}

}  // namespace kedge
