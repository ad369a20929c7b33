// journal verify, journal show.

#include <fmt/format.h>

#include <fstream>

#include "cli/commands.h"
#include "cli/finding.h"
#include "journal/export.h"

namespace kedge {
namespace {

ExitCode verify_journal(Context& context, const Nothing&) {
    Console& console = context.console();
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail("the journal cannot be verified", journal.error());
    const Result<std::uint64_t> entries = (*journal)->verify();
    if (!entries) return console.fail("the journal is not whole", entries.error());
    if (console.json())
        console.print_item("JournalVerification", {{"entries", *entries}, {"whole", true}});
    else
        console.print_line(fmt::format("{}: {} entries, every digest fits the one before it",
                                       shown({"✔", "+", "whole", Tone::good}, console.out()), *entries));
    return ExitCode::ok;
}

struct ExportJournal {
    std::string output;
    std::string verify;
};

ExitCode verify_exported(Console& console, const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return console.fail("the export cannot be verified", {Fault::not_found, path + " cannot be read"});
    const Result<ExportSummary> summary = verify_export(in);
    if (!summary) return console.fail(path + " is not whole", summary.error());
    if (console.json())
        console.print_item("JournalVerification",
                           {{"entries", summary->entries}, {"head", summary->head}, {"whole", true}});
    else
        console.print_line(fmt::format("{}: {} entries, the last digest is {}", path, summary->entries, summary->head));
    return ExitCode::ok;
}

ExitCode export_all(Context& context, const ExportJournal& options) {
    Console& console = context.console();
    if (!options.verify.empty()) return verify_exported(console, options.verify);
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail("the journal cannot be exported", journal.error());
    if (options.output.empty()) {
        const Result<ExportSummary> summary = export_journal(**journal, context.around().out);
        return summary ? ExitCode::ok : console.fail("the export is not whole", summary.error());
    }
    std::ofstream out(options.output, std::ios::binary);
    if (!out)
        return console.fail("the journal cannot be exported",
                            {Fault::not_allowed, options.output + " cannot be written"});
    const Result<ExportSummary> summary = export_journal(**journal, out);
    if (!summary) return console.fail("the export is not whole", summary.error());
    if (console.json())
        console.print_item("JournalExport",
                           {{"path", options.output}, {"entries", summary->entries}, {"head", summary->head}});
    else
        console.print_line(
            fmt::format("{}: {} entries, the last digest is {}", options.output, summary->entries, summary->head));
    return ExitCode::ok;
}

struct ShowJournal {
    std::optional<std::string> run;
    std::int64_t after = 0;
    std::int64_t limit = 1000;
};

Json entry_json(const Entry& entry) {
    return {{"position", entry.position},    {"run", entry.run},    {"epoch", entry.epoch},  {"kind", entry.kind},
            {"time", to_string(entry.time)}, {"body", *entry.body}, {"digest", entry.digest}};
}

// The sentence of an entry, and the texts of a plan left out.
std::string brief(const Entry& entry) {
    std::string line;
    for (const char* key : {"step", "to", "cause", "phase", "verb", "who", "mode", "requester", "says"})
        if (const auto text = get_string(entry.body, key); text && !text->empty())
            line += (line.empty() ? "" : " ") + *text;
    return printable(line);
}

ExitCode show_journal(Context& context, const ShowJournal& options) {
    Console& console = context.console();
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal) return console.fail("the journal cannot be shown", journal.error());
    const Result<std::vector<Entry>> entries = (*journal)->read(
        options.run.value_or(""), static_cast<Position>(options.after), static_cast<std::size_t>(options.limit));
    if (!entries) return console.fail("the journal cannot be shown", entries.error());
    if (console.json()) {
        Json items = Json::array();
        for (const Entry& entry : *entries) items.push_back(entry_json(entry));
        console.print_items("JournalEntries", std::move(items));
        return ExitCode::ok;
    }
    for (const Entry& entry : *entries)
        console.print_line(fmt::format("{:>6}  {}  {}  {:<12}  {}", entry.position, to_string(entry.time), entry.run,
                                       entry.kind, brief(entry)));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> journal_commands() {
    return {command("journal verify", "Read the whole journal and check that nothing was changed", verify_journal)
                .example("kedge journal verify")
                .exits({ExitCode::not_found, ExitCode::negative}),
            command("journal show", "Show what the journal holds, oldest first", show_journal)
                .option("run", "RUN", &ShowJournal::run, "only of this run", Completes::runs)
                .option("after", "POSITION", &ShowJournal::after, "only what came after this position")
                .option("limit", "NUMBER", &ShowJournal::limit, "at most so many entries; 1000 if not given")
                .example("kedge journal show --run r-7k2f9c")
                .exits({ExitCode::not_found, ExitCode::negative}),
            command("journal export", "Write the journal as JSON lines that can be verified elsewhere", export_all)
                .details("Its last line, kept in another place, shows later whether the journal was cut or rewritten.")
                .option("output", "FILE", &ExportJournal::output, "where to; standard output if not given",
                        Completes::files)
                .letter('o')
                .option("verify", "FILE", &ExportJournal::verify, "verify this export instead", Completes::files)
                .example("kedge journal export -o journal.jsonl")
                .example("kedge journal export --verify journal.jsonl")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::negative})};
}

}  // namespace kedge
