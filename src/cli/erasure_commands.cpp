// erasure add, hold, release, pull, acknowledge, list, verify.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/finding.h"
#include "cli/table.h"
#include "cli/text.h"
#include "erasure/exclusions.h"
#include "os/http.h"
#include "os/secret.h"
#include "verify/figures.h"

namespace kedge {
namespace {

constexpr Span lock_limit = std::chrono::seconds{10};
constexpr Span answer_limit = std::chrono::seconds{30};

struct Ledger {
    std::string path;
};

Result<std::string> find_ledger(const Context& context, const std::string& path) {
    if (!path.empty()) return path;
    if (const auto named = context.variable("KEDGE_ERASURE_LEDGER")) return *named;
    if (find_estate_file(context)) {
        Result<Estate> estate = find_estate(context);
        // One that cannot be read may name another ledger: it is not passed over.
        if (!estate)
            return Error{estate.error().fault, estate.error().message,
                         "the estate says where the ledger is; mend it, or say --ledger FILE"};
        if (estate->erasure.is_declared()) return std::move(estate->erasure.ledger);
    }
    return Error{Fault::invalid_input, "no erasure ledger is named",
                 "say --ledger FILE, set KEDGE_ERASURE_LEDGER, or name it in the estate's `erasure:`; keep it where no "
                 "restore reaches"};
}

std::string are(std::size_t count, std::string_view what) {
    return fmt::format("{} {} {}", count, count == 1 ? "is" : "are", what);
}

std::string standing_text(const ErasureLedger& ledger) {
    return fmt::format(
        "{}, {}; {}", are(ledger.erased().size(), "erased"), are(ledger.held().size(), "kept by a hold"),
        ledger.entries().empty() ? "there is no last digest yet" : "the last digest is " + ledger.head());
}

Json standing_json(const std::string& path, const ErasureLedger& ledger) {
    return {{"path", path},
            {"entries", ledger.entries().size()},
            {"erased", ledger.erased().size()},
            {"held", ledger.held().size()},
            {"open_findings", ledger.open_findings().size()},
            {"head", ledger.head()}};
}

// Refused while a finding is open: nothing may be restored then.
ExitCode warn_of_findings(Console& console, const ErasureLedger& ledger) {
    const auto findings = ledger.open_findings();
    if (!console.json())
        for (const ErasureEntry& finding : findings)
            console.warn(
                fmt::format("finding {}: {}: {}; nothing may be restored until somebody acknowledges it: "
                            "kedge erasure acknowledge {} --reason WHY",
                            finding.number, printable(finding.source), printable(finding.reason), finding.number));
    return findings.empty() ? ExitCode::ok : ExitCode::refused;
}

// What was added, and where the ledger stands now.
ExitCode report_added(Console& console, const std::string& path, const ErasureFile& file, std::size_t added) {
    const ErasureLedger& ledger = file.ledger();
    if (console.json()) {
        Json item = standing_json(path, ledger);
        item["added"] = added;
        item["begun"] = file.was_begun();
        console.print_item("ErasureLedger", std::move(item));
    } else {
        if (file.was_begun()) console.print_line("a new ledger was begun at " + printable(path));
        console.print_line(fmt::format("{} added; {}", added, standing_text(ledger)));
    }
    return warn_of_findings(console, ledger);
}

// What would not begin a ledger leaves none: an empty one, at a path that was mistyped, would erase nobody.
Result<void> check_beginning(const std::string& path, const std::vector<ErasureEntry>& entries) {
    std::error_code ignored;  // where nobody may look, to open it will tell
    if (std::filesystem::symlink_status(path, ignored).type() != std::filesystem::file_type::not_found) return {};
    const auto taken = ErasureLedger().add(entries);
    if (taken) return {};
    return Error{taken.error().fault, fmt::format("{}: there is no ledger yet: {}", path, taken.error().message)};
}

ExitCode write_entries(Context& context, const std::string& named, std::vector<ErasureEntry> entries) {
    Console& console = context.console();
    const std::string_view what = "the ledger was not changed";
    const Result<std::string> path = find_ledger(context, named);
    if (!path) return console.fail(what, path.error());
    if (const auto begins = check_beginning(*path, entries); !begins) return console.fail(what, begins.error());
    auto file = ErasureFile::open(*path, within(lock_limit));
    if (!file) return console.fail(what, file.error());
    const std::size_t count = entries.size();
    if (const auto added = file->add(std::move(entries)); !added) {
        const bool began = added.error().fault == Fault::outcome_unknown || added.error().fault == Fault::unavailable;
        return console.fail(began ? "it is not known whether the ledger was changed" : what, added.error());
    }
    report_added(console, *path, *file, count);
    return ExitCode::ok;
}

struct Change {
    std::string ledger;
    std::vector<std::string> subjects;
    std::string reason, source;
};

template <ErasureEvent event>
ExitCode change(Context& context, const Change& options) {
    if (options.subjects.empty()) return context.console().fail_usage({Fault::invalid_input, "SUBJECT is missing"});
    std::vector<ErasureEntry> entries;
    for (const std::string& subject : options.subjects)
        entries.push_back({.at = context.now(),
                           .event = event,
                           .subject = subject,
                           .reason = options.reason,
                           .source = options.source,
                           .who = context.around().login});
    return write_entries(context, options.ledger, std::move(entries));
}

struct Acknowledge {
    std::string ledger;
    std::int64_t finding = 0;
    std::string reason;
};

ExitCode acknowledge(Context& context, const Acknowledge& options) {
    return write_entries(context, options.ledger,
                         {{.at = context.now(),
                           .event = ErasureEvent::acknowledge,
                           .reason = options.reason,
                           .who = context.around().login,
                           .finding = options.finding}});
}

struct Pull {
    std::string ledger;
    std::string url;
    std::string token;
    std::int64_t limit = exclusions_limit_max;
};

Result<std::vector<Exclusion>> ask_platform(const Pull& options) {
    HttpRequest request;
    request.target =
        fmt::format("{}{}limit={}", options.url, options.url.find('?') == std::string::npos ? "?" : "&", options.limit);
    if (!options.token.empty())
        request.headers.emplace_back("Authorization", "Bearer " + TRY(read_secret(options.token)));
    const HttpResponse response = TRY(http_request(request, within(answer_limit)));
    return read_exclusions(response.status, response.body, static_cast<int>(options.limit)).within(options.url);
}

ExitCode pull(Context& context, const Pull& options) {
    Console& console = context.console();
    const std::string_view what = "the ledger was not changed";
    if (options.url.empty()) return console.fail_usage({Fault::invalid_input, "--url is missing"});
    if (options.limit < 1 || options.limit > exclusions_limit_max)
        return console.fail_usage(
            {Fault::invalid_input, fmt::format("--limit is a number from 1 to {}", exclusions_limit_max)});
    const Result<std::string> path = find_ledger(context, options.ledger);
    if (!path) return console.fail(what, path.error());
    const auto answer = ask_platform(options);
    if (!answer) {
        const ExitCode code = console.fail(what, answer.error());
        return answer.error().fault == Fault::unavailable ? ExitCode::unreachable : code;
    }
    auto file = ErasureFile::open(*path, within(lock_limit));
    if (!file) return console.fail(what, file.error());
    auto entries = learn(file->ledger(), *answer, options.url, context.around().login, context.now());
    const std::size_t count = entries.size();
    if (const auto added = file->add(std::move(entries)); !added)
        return console.fail("it is not known whether the ledger was changed", added.error());
    return report_added(console, *path, *file, count);
}

ExitCode list(Context& context, const Ledger& options) {
    Console& console = context.console();
    const std::string_view what = "who is erased is unknown";
    const Result<std::string> path = find_ledger(context, options.path);
    if (!path) return console.fail(what, path.error());
    const auto ledger = read_ledger(*path);
    if (!ledger) return console.fail(what, ledger.error());
    if (console.json()) {
        Json items = Json::array();
        for (const ErasureEntry& entry : ledger->entries()) items.push_back(to_json(entry));
        console.print_items("ErasureEntries", std::move(items));
        return ExitCode::ok;
    }
    Table table({{"NUMBER", Align::right}, {"AT"}, {"EVENT"}, {"SUBJECT"}, {"WHO"}, {"SOURCE"}, {"REASON"}});
    for (const ErasureEntry& entry : ledger->entries())
        table.add({std::to_string(entry.number), to_string(entry.at), std::string(to_string(entry.event)),
                   entry.finding != 0 ? fmt::format("finding {}", entry.finding) : printable(entry.subject),
                   printable(entry.who), printable(entry.source), printable(entry.reason)});
    console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

struct VerifyLedger {
    std::string ledger;
    std::string head;
};

ExitCode verify_ledger(Context& context, const VerifyLedger& options) {
    Console& console = context.console();
    const std::string_view not_whole = "the ledger is not whole", not_checked = "the ledger was not checked";
    const Result<std::string> path = find_ledger(context, options.ledger);
    if (!path) return console.fail(not_checked, path.error());
    const auto ledger = read_ledger(*path);
    if (!ledger) return console.fail(ledger.error().fault == Fault::corrupt ? not_whole : not_checked, ledger.error());
    if (!options.head.empty() &&
        std::ranges::find(ledger->entries(), options.head, &ErasureEntry::digest) == ledger->entries().end())
        return console.fail(not_whole,
                            {Fault::corrupt, fmt::format("{}: no line of it has the digest {}", *path, options.head),
                             "its tail was cut off, or it was written anew: restore it from a copy"});
    if (console.json())
        console.print_item("ErasureLedger", standing_json(*path, *ledger));
    else
        console.print_line(fmt::format("{} is whole, {} checked; {}", printable(*path),
                                       verify::counted(ledger->entries().size(), "entry was", "entries were"),
                                       standing_text(*ledger)));
    return warn_of_findings(console, *ledger);
}

}  // namespace

std::vector<Command> erasure_commands() {
    const char* const where = "the ledger (or KEDGE_ERASURE_LEDGER)";
    const std::vector<ExitCode> when_reading = {ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed,
                                                ExitCode::refused, ExitCode::negative};
    const std::vector<ExitCode> when_writing = {ExitCode::invalid_input,   ExitCode::not_found,
                                                ExitCode::not_allowed,     ExitCode::refused,
                                                ExitCode::outcome_unknown, ExitCode::negative};
    const auto changes = [&](const char* name, const char* summary, auto function) {
        return command(name, summary, function)
            .argument("SUBJECT", &Change::subjects, "ids of people, as the platform knows them")
            .option("ledger", "FILE", &Change::ledger, where, Completes::files)
            .option("reason", "TEXT", &Change::reason, "why, for those who read it in years")
            .option("source", "TEXT", &Change::source, "who said so: a ticket, a letter")
            .exits(when_writing);
    };
    return {
        changes("erasure add", "Note people who must stay erased, whatever a restore brings back",
                change<ErasureEvent::erase>)
            .example("kedge erasure add usr_17 --reason request --source PRIV-204"),
        changes("erasure hold", "Note that people must be kept for legal reasons, erased or not",
                change<ErasureEvent::hold>)
            .example("kedge erasure hold usr_17 --reason case-4-O-12"),
        changes("erasure release", "End a hold", change<ErasureEvent::release>).example("kedge erasure release usr_17"),
        command("erasure pull", "Take over whom the platform excludes from restores", pull)
            .details("Anything but a well-formed answer changes nothing, and so does one as long as its limit. Who is "
                     "missing in an answer stays in the ledger: that is a finding.")
            .option("url", "URL", &Pull::url, "the platform's exclusion endpoint")
            .option("token", "REFERENCE", &Pull::token, "bearer token: env:NAME or file:PATH")
            .option("limit", "NUMBER", &Pull::limit, "how many to ask for; 500 if not given")
            .option("ledger", "FILE", &Pull::ledger, where, Completes::files)
            .example("kedge erasure pull --url https://api.example/exclusions --token env:TOKEN")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::refused,
                    ExitCode::outcome_unknown, ExitCode::unreachable, ExitCode::negative}),
        command("erasure acknowledge", "Say that a finding was looked at", acknowledge)
            .argument("NUMBER", &Acknowledge::finding, "of the finding")
            .option("reason", "TEXT", &Acknowledge::reason, "what was seen")
            .option("ledger", "FILE", &Acknowledge::ledger, where, Completes::files)
            .example("kedge erasure acknowledge 12 --reason restarted")
            .exits(when_writing),
        command("erasure list", "Show the ledger, oldest first", list)
            .option("ledger", "FILE", &Ledger::path, where, Completes::files)
            .example("kedge erasure list")
            .exits(when_reading),
        command("erasure verify", "Check that no line was changed, moved, added or taken out", verify_ledger)
            .details("With --head, also that nothing was cut off since that digest was the last.")
            .option("head", "DIGEST", &VerifyLedger::head, "a digest that was the last once")
            .option("ledger", "FILE", &VerifyLedger::ledger, where, Completes::files)
            .example("kedge erasure verify --head 5f1c...")
            .exits(when_reading),
    };
}

}  // namespace kedge
