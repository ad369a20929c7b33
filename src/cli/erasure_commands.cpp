// erasure add, hold, release, pull, acknowledge, list, verify.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/finding.h"
#include "cli/table.h"
#include "cli/text.h"
#include "erasure/exclusions.h"
#include "os/http.h"
#include "os/secret.h"

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
    // An estate that cannot be read names none; who has none is told below what to do.
    if (const auto estate = find_estate(context); estate && estate->erasure.is_declared())
        return estate->erasure.ledger;
    return Error{Fault::invalid_input, "no erasure ledger is named",
                 "say --ledger FILE, set KEDGE_ERASURE_LEDGER, or name it in the estate's `erasure:`; keep it where no "
                 "restore reaches"};
}

// What was added, and where the ledger stands now. Refused while a finding is open: nothing may be restored then.
ExitCode report_ledger(Console& console, const ErasureLedger& ledger, std::size_t added) {
    const auto findings = ledger.open_findings();
    if (console.json()) {
        console.print_item("ErasureLedger", {{"added", added},
                                             {"entries", ledger.entries().size()},
                                             {"erased", ledger.erased().size()},
                                             {"held", ledger.held().size()},
                                             {"open_findings", findings.size()},
                                             {"head", ledger.head()}});
        return findings.empty() ? ExitCode::ok : ExitCode::refused;
    }
    console.print_line(fmt::format("{} added; {} are erased, {} are kept by a hold; the last digest is {}", added,
                                   ledger.erased().size(), ledger.held().size(), ledger.head()));
    for (const ErasureEntry& finding : findings)
        console.warn(
            fmt::format("finding {}: {}: {}; nothing may be restored until somebody acknowledges it: "
                        "kedge erasure acknowledge {} --reason WHY",
                        finding.number, printable(finding.source), printable(finding.reason), finding.number));
    return findings.empty() ? ExitCode::ok : ExitCode::refused;
}

ExitCode write_entries(Context& context, const std::string& named, std::vector<ErasureEntry> entries) {
    Console& console = context.console();
    const std::string_view what = "the ledger was not changed";
    const Result<std::string> path = find_ledger(context, named);
    if (!path) return console.fail(what, path.error());
    auto file = ErasureFile::open(*path, within(lock_limit));
    if (!file) return console.fail(what, file.error());
    const std::size_t count = entries.size();
    if (const auto added = file->add(std::move(entries)); !added) {
        const bool began = added.error().fault == Fault::outcome_unknown || added.error().fault == Fault::unavailable;
        return console.fail(began ? "it is not known whether the ledger was changed" : what, added.error());
    }
    report_ledger(console, file->ledger(), count);
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
    return report_ledger(console, file->ledger(), count);
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

ExitCode verify(Context& context, const VerifyLedger& options) {
    Console& console = context.console();
    const std::string_view what = "the ledger is not whole";
    const Result<std::string> path = find_ledger(context, options.ledger);
    if (!path) return console.fail(what, path.error());
    const auto ledger = read_ledger(*path);
    if (!ledger) return console.fail(what, ledger.error());
    if (!options.head.empty() &&
        std::ranges::find(ledger->entries(), options.head, &ErasureEntry::digest) == ledger->entries().end())
        return console.fail(what,
                            {Fault::corrupt, fmt::format("{}: no line of it has the digest {}", *path, options.head),
                             "its tail was cut off, or it was written anew: restore it from a copy"});
    return report_ledger(console, *ledger, 0);
}

}  // namespace

std::vector<Command> erasure_commands() {
    const char* const where = "the ledger (or KEDGE_ERASURE_LEDGER)";
    const auto changes = [&](const char* name, const char* summary, auto function) {
        return command(name, summary, function)
            .argument("SUBJECT", &Change::subjects, "ids of people, as the platform knows them")
            .option("ledger", "FILE", &Change::ledger, where, Completes::files)
            .option("reason", "TEXT", &Change::reason, "why, for those who read it in years")
            .option("source", "TEXT", &Change::source, "who said so: a ticket, a letter")
            .exits({ExitCode::invalid_input, ExitCode::conflict, ExitCode::refused, ExitCode::negative});
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
            .exits({ExitCode::invalid_input, ExitCode::refused, ExitCode::unreachable, ExitCode::negative}),
        command("erasure acknowledge", "Say that a finding was looked at", acknowledge)
            .argument("NUMBER", &Acknowledge::finding, "of the finding")
            .option("reason", "TEXT", &Acknowledge::reason, "what was seen")
            .option("ledger", "FILE", &Acknowledge::ledger, where, Completes::files)
            .example("kedge erasure acknowledge 12 --reason restarted")
            .exits({ExitCode::invalid_input, ExitCode::refused, ExitCode::negative}),
        command("erasure list", "Show the ledger, oldest first", list)
            .option("ledger", "FILE", &Ledger::path, where, Completes::files)
            .example("kedge erasure list")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::negative}),
        command("erasure verify", "Check that no line was changed, moved, added or taken out", verify)
            .details("With --head, also that nothing was cut off since that digest was the last.")
            .option("head", "DIGEST", &VerifyLedger::head, "a digest that was the last once")
            .option("ledger", "FILE", &VerifyLedger::ledger, where, Completes::files)
            .example("kedge erasure verify --head 5f1c...")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused, ExitCode::negative}),
    };
}

}  // namespace kedge
