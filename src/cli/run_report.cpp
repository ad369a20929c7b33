// run report: what a run did and how long it took, who decided, what it found; as Markdown or JSON.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/run_view.h"
#include "engine/events.h"
#include "os/files.h"
#include "runner/runs.h"

namespace kedge {
namespace {

struct Report {
    std::string run;
    std::optional<std::string> output;
};

struct Judgement {
    Moment at{};
    std::string who, verb, step, text, says;
    bool accepted = false, played = false;
};

// What the journal tells beside the state: every change, and every verdict, refused ones too.
struct History {
    std::vector<std::string> changes;
    std::vector<Judgement> judgements;
};

Result<History> read_history(const Journal& journal, const RunId& id) {
    History history;
    LoadedRun run = TRY(open_run(journal, id, lab_root()));
    for (const Entry& entry : TRY(journal.read(id, 0))) {
        if (entry.position > run.state.last()) TRY(run.state.fold(entry));
        if (const auto line = change_line(run.state, entry)) history.changes.push_back(*line);
        if (entry.kind != events::request_judged) continue;
        const auto text = [&](std::string_view key) { return get_string(entry.body, key).value_or(""); };
        history.judgements.push_back({entry.time, text("who"), text("verb"), text("step"), text("text"), text("says"),
                                      get_bool(entry.body, "accepted").value_or(false),
                                      get_bool(entry.body, "played").value_or(false)});
    }
    return history;
}

// Markdown's own characters in texts that came from elsewhere.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : printable(text)) {
        if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') out += '\\';
        out += c;
    }
    return out;
}

std::string outcome_of(const RunState& state) {
    const Mark mark = mark_of(state.phase(), state.result());
    return std::string(mark.word) + (state.result() ? "" : " (has not ended)");
}

std::string markdown(const RunState& state, const Estate& estate, const History& history) {
    const RunHeader& header = state.header();
    std::string out =
        fmt::format("# Run {}: {}\n\n{}\n\n", state.id(), cell(state.plan().name), cell(state.plan().summary));
    const auto line = [&](std::string_view name, const std::string& text) {
        if (!text.empty()) out += fmt::format("- **{}:** {}\n", name, text);
    };
    std::vector<std::string> inputs;
    for (const auto& [name, value] : header.inputs) inputs.push_back(cell(name + "=" + value));
    line("Outcome", outcome_of(state));
    line("Says", cell(state.phase_says()));
    line("Mode", std::string(to_string(header.mode)));
    line("Inputs", fmt::format("{}", fmt::join(inputs, ", ")));
    line("Requested by", cell(header.requester) + (header.played ? " (played by the lab)" : " (attested by login)"));
    line("Reason", cell(header.reason));
    line("Declared", to_string(state.started_at()));
    line("Ended", state.ended_at() ? to_string(*state.ended_at()) : "");
    line("RTO from declaration",
         state.ended_at() && state.result() == RunResult::succeeded
             ? fmt::format("{} until the last step of this run; from the fault: not measured by a run",
                           readable(*state.ended_at() - state.started_at()))
             : "unknown: the run has not succeeded");
    if (!estate.tiers.empty())
        line("Strictest objective", fmt::format("RTO {}, RPO {} ({})", readable(estate.tiers.front().rto),
                                                readable(estate.tiers.front().rpo), cell(estate.tiers.front().name)));
    line("Plan digest", state.plan().plan_digest);

    out += "\n## Steps\n\n| step | action | state | took | says |\n|---|---|---|---|---|\n";
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        const auto took = record.ended_at ? time_taken(record, *record.ended_at) : std::optional<Span>{};
        out += fmt::format("| {} | {} | {} | {} | {} |\n", cell(state.bound(i).id), cell(doing(state.bound(i))),
                           mark_of(record.state).word, took ? readable(*took) : "", cell(record.says));
    }
    out += "\n## Evidence\n\n";
    for (std::size_t i = 0; i < state.size(); ++i) {
        if (state.record(i).evidence->empty()) continue;
        out += fmt::format("- **{}**: ", cell(state.bound(i).id));
        std::vector<std::string> facts;
        for (const auto& [name, value] : state.record(i).evidence->items())
            facts.push_back(
                cell(fmt::format("{} {}", name, value.is_string() ? value.get<std::string>() : dump(value))));
        out += fmt::format("{}\n", fmt::join(facts, "; "));
    }
    out += "\n## Decisions\n\n";
    if (history.judgements.empty()) out += "Nobody was asked.\n";
    for (const Judgement& judgement : history.judgements)
        out += fmt::format("- {} {}{} {} {}: {}{}{}\n", to_string(judgement.at),
                           judgement.who.empty() ? "somebody unknown" : cell(judgement.who),
                           judgement.played ? " (played)" : " (attested)", cell(judgement.verb),
                           judgement.step.empty() ? "the run" : cell(judgement.step),
                           judgement.accepted ? "accepted" : "refused",
                           judgement.text.empty() ? "" : ", \"" + cell(judgement.text) + "\"",
                           judgement.says.empty() ? "" : ": " + cell(judgement.says));
    out += "\n## Owed\n\n";
    if (state.obligations().empty()) out += "Nothing.\n";
    for (const OpenObligation& owed : state.obligations())
        out += fmt::format("- {} (since {}, by step {}{})\n", cell(owed.says), to_string(owed.since), cell(owed.step),
                           owed.owner.empty() ? ", nobody took it over" : ", taken over by " + cell(owed.owner));
    out += "\n## Timeline\n\n```\n";
    for (const std::string& change : history.changes) out += change + "\n";
    return out + "```\n";
}

Json report_json(const RunState& state, const History& history, const std::optional<std::string>& controller) {
    Json json = run_json(state, controller);
    json["timeline"] = history.changes;
    json["decisions"] = Json::array();
    for (const Judgement& judgement : history.judgements)
        json["decisions"].push_back({{"at", to_string(judgement.at)},
                                     {"who", judgement.who},
                                     {"verb", judgement.verb},
                                     {"step", judgement.step},
                                     {"text", judgement.text},
                                     {"accepted", judgement.accepted},
                                     {"played", judgement.played},
                                     {"says", judgement.says}});
    const bool succeeded = state.result() == RunResult::succeeded && state.ended_at();
    json["rto_from_declaration_seconds"] = succeeded ? Json(seconds(*state.ended_at() - state.started_at())) : Json();
    json["rto_from_onset_seconds"] = Json();  // a run does not know when the fault was
    return json;
}

ExitCode report(Context& context, const Report& options) {
    Console& console = context.console();
    const std::string what = fmt::format("run {} cannot be reported", options.run);
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail(what, journal.error());
    const Result<LoadedRun> run = load_run(**journal, options.run, lab_root());
    if (!run) return console.fail(what, run.error());
    const Result<History> history = read_history(**journal, options.run);
    if (!history) return console.fail(what, history.error());
    const std::string text = markdown(run->state, *run->estate, *history);
    const Json json = report_json(run->state, *history, {});
    if (options.output) {
        for (const auto& [suffix, content] : {std::pair{".md", text}, std::pair{".json", dump_pretty(json) + "\n"}}) {
            const Result<void> written = write_file_atomically(*options.output + suffix, content, 0644);
            if (!written) return console.fail(what, written.error());
        }
        console.note(fmt::format("written: {0}.md and {0}.json", *options.output));
    }
    if (console.json())
        console.print_item("RunReport", json);
    else if (!options.output)
        console.print(text);
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> run_report_commands() {
    return {command("run report", "Report a run: durations, evidence, decisions, what is owed", report)
                .argument("RUN", &Report::run, "its id", Completes::runs)
                .option("output", "PATH", &Report::output, "write PATH.md and PATH.json", Completes::files)
                .letter('o')
                .example("kedge run report r-7k2f9c --output ./failover")
                .exits({ExitCode::not_found, ExitCode::negative})};
}

}  // namespace kedge
