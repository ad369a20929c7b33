// journal verify, journal show.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/finding.h"

namespace kedge {
namespace {

struct Nothing {};

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

struct ShowJournal {
    std::optional<std::string> run;
    std::int64_t after = 0;
    std::int64_t limit = 1000;
};

Json entry_json(const Entry& entry) {
    return {{"position", entry.position},    {"run", entry.run},   {"epoch", entry.epoch},  {"kind", entry.kind},
            {"time", to_string(entry.time)}, {"body", entry.body}, {"digest", entry.digest}};
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
                .exits({ExitCode::not_found, ExitCode::negative})};
}

}  // namespace kedge
