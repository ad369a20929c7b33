// backup window.

#include <fmt/format.h>

#include <algorithm>

#include "backup/material.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/table.h"

namespace kedge {
namespace {

using verify::Reach;
using verify::Recovery;
using verify::RecoveryBase;
using verify::Weight;

struct BackupWindow {
    std::vector<std::string> bases;
    std::optional<std::string> wal, store, at;
    bool exclusive = false;
    std::int64_t timeline = 0;
};

struct Places {
    std::vector<std::string> bases;
    std::vector<std::string> logs;
};

// The one store of the estate, or the one that was named.
Result<Places> places_of_store(const Context& context, const std::optional<std::string>& name) {
    const Estate estate = TRY(find_estate(context));
    const Target* store = nullptr;
    for (const Target& target : estate.targets) {
        if (target.kind != TargetKind::store || target.driver != "file" || (name && target.name != *name)) continue;
        if (store != nullptr)
            return Error{Fault::invalid_input, "the estate has several stores", "name one with --store"};
        store = &target;
    }
    if (store == nullptr)
        return Error{Fault::not_found, name ? *name + " is no store of the estate" : "the estate has no store of files",
                     "say where backups lie with --base and --wal"};
    const std::string path = store->settings.text("path").value_or("");
    return Places{{path + "/" + store->settings.text("base").value_or("base")},
                  {path + "/" + store->settings.text("wal").value_or("wal")}};
}

Result<Places> places(const Context& context, const BackupWindow& options) {
    if (options.bases.empty() && !options.wal) return places_of_store(context, options.store);
    if (options.bases.empty()) return Error{Fault::invalid_input, "no base backup is given", "add --base PATH"};
    Places places{options.bases, {}};
    if (options.wal) places.logs.push_back(*options.wal);
    return places;
}

std::string moment_text(const std::optional<Moment>& moment) {
    return moment ? to_string(*moment) : "unknown";
}

Json moment_json(const std::optional<Moment>& moment) {
    return moment ? Json(to_string(*moment)) : Json();
}

Json reach_json(const verify::Window& window, const Reach& reach) {
    const RecoveryBase& base = window.bases[reach.base];
    return {{"base", base.name},
            {"timeline", reach.timeline},
            {"restorable", reach.reaches()},
            {"why_not", reach.why_not},
            {"start", to_string(base.start)},
            {"consistent_at", base.consistent_at ? Json(to_string(*base.consistent_at)) : Json()},
            {"log_ends_at", to_string(reach.path.end)},
            {"log_is_damaged", reach.path.damaged},
            {"why_log_ends", reach.path.why_it_ends},
            {"earliest", moment_json(reach.earliest)},
            {"latest", moment_json(reach.latest)}};
}

Json recovery_json(const verify::Window& window, const verify::RecoveryTarget& target, const Recovery& recovery) {
    Json json{{"target", to_string(target)}, {"possible", recovery.possible}, {"says", recovery.says}};
    if (!recovery.possible) {
        json["nearest_before"] = moment_json(recovery.before);
        json["nearest_after"] = moment_json(recovery.after);
        return json;
    }
    const Reach& reach = window.reaches[*recovery.reach];
    json["base"] = window.bases[reach.base].name;
    json["timeline"] = reach.timeline;
    json["to_the_end"] = recovery.to_the_end;
    json["stops_at"] = to_string(recovery.stop);
    if (recovery.last) json["last_transaction"] = to_string(recovery.last->time);
    if (recovery.first_out) json["first_left_out"] = to_string(recovery.first_out->time);
    json["copy_bytes"] = recovery.copy_bytes;
    json["replay_bytes"] = recovery.replay_bytes;
    json["takes_seconds"] = seconds(recovery.takes);
    return json;
}

void print_window(Console& console, const verify::Window& window) {
    Table table({{"BASE"}, {"TIMELINE", Align::right}, {"EARLIEST"}, {"LATEST"}, {"THE LOG"}});
    for (const Reach& reach : window.reaches) {
        const std::string& name = window.bases[reach.base].name;
        if (reach.reaches())
            table.add({name, std::to_string(reach.timeline), moment_text(reach.earliest), moment_text(reach.latest),
                       Cell(fmt::format("{}{}", reach.path.damaged ? "broken: " : "", reach.path.why_it_ends),
                            reach.path.damaged ? Tone::bad : Tone::plain)});
        else
            table.add({name, std::to_string(reach.timeline), "", "", Cell(reach.why_not, Tone::bad)});
    }
    console.print(table.rendered(console.out()));
}

void print_recovery(Console& console, const verify::Window& window, const verify::RecoveryTarget& target,
                    const Recovery& recovery) {
    const Mark yes{"✔", "+", "can be recovered", Tone::good}, no{"✘", "x", "cannot be recovered", Tone::bad};
    console.print_line(fmt::format("{}  {}  {}", printable(to_string(target)),
                                   shown(recovery.possible ? yes : no, console.out()), printable(recovery.says)));
    if (!recovery.possible) {
        if (recovery.before) console.print_line("nearest before: " + to_string(*recovery.before));
        if (recovery.after) console.print_line("nearest after:  " + to_string(*recovery.after));
        return;
    }
    if (recovery.to_the_end) console.print_line("it is the end of the log: recover without a target time");
    if (recovery.last) console.print_line("last transaction that is in: " + to_string(recovery.last->time));
    if (recovery.first_out) console.print_line("first one that is not:       " + to_string(recovery.first_out->time));
    console.print_line(fmt::format(
        "roughly {}: {:.1f} MB to copy at {:.0f} MB/s, {:.1f} MB of log to replay at {:.0f} MB/s",
        readable(recovery.takes), static_cast<double>(recovery.copy_bytes) / 1e6, recovery.rates.copy_bytes / 1e6,
        static_cast<double>(recovery.replay_bytes) / 1e6, recovery.rates.replay_bytes / 1e6));
    const auto bases = window.bases.size();
    if (bases > 1) console.note(fmt::format("the newest of {} base backups from which it is reached", bases));
}

void warn_of(Console& console, const verify::WalArchive& archive) {
    for (const verify::Finding& finding : archive.examination.findings.kept())
        if (finding.weight != Weight::remark) console.warn(fmt::format("{}: {}", finding.where, finding.says));
}

// What could not be read might have changed a no.
ExitCode code_of(bool yes, const verify::WalArchive& archive) {
    if (yes) return ExitCode::ok;
    return archive.examination.findings.any(Weight::doubt) ? ExitCode::unverifiable : ExitCode::negative;
}

ExitCode show_window(Context& context, const BackupWindow& options) {
    Console& console = context.console();
    constexpr const char* failed = "the window cannot be told";
    std::optional<verify::RecoveryTarget> at;
    if (options.at) {
        const auto target = verify::parse_recovery_target(*options.at);
        if (!target) return console.fail_usage(target.error().within("--at"));
        at = *target;
        at->inclusive = !options.exclusive;
        if (options.timeline > 0) at->timeline = static_cast<std::uint32_t>(options.timeline);
    }
    const Result<Places> where = places(context, options);
    if (!where) return console.fail(failed, where.error());
    backup::Material material;
    if (const auto gathered = backup::gather(material, where->bases, where->logs); !gathered)
        return console.fail(failed, gathered.error());
    const verify::MemberTransactions transactions(material.archive, material.wal, material.limits, material.effort);
    const auto window = verify::recovery_window(material.archive, std::move(material.bases), transactions);
    if (!window) return console.fail(failed, window.error());
    Json json{{"reaches", Json::array()}};
    for (const Reach& reach : window->reaches) json["reaches"].push_back(reach_json(*window, reach));
    bool yes = std::ranges::any_of(window->reaches, &Reach::reaches);
    warn_of(console, material.archive);
    if (!console.json()) print_window(console, *window);
    if (at) {
        const auto recovery = verify::recovery_to(material.archive, *window, *at, context.now(), transactions);
        if (!recovery) return console.fail(failed, recovery.error());
        yes = recovery->possible;
        json["recovery"] = recovery_json(*window, *at, *recovery);
        if (!console.json()) print_recovery(console, *window, *at, *recovery);
    }
    if (console.json()) console.print_item("BackupWindow", std::move(json));
    return code_of(yes, material.archive);
}

}  // namespace

std::vector<Command> backup_commands() {
    return {command("backup window", "Show which moments can be recovered, and whether one of them can", show_window)
                .option("base", "PATH", &BackupWindow::bases, "a base backup, or a directory of them", Completes::files)
                .option("wal", "PATH", &BackupWindow::wal, "the directory of archived log", Completes::files)
                .option("store", "TARGET", &BackupWindow::store, "the store of the estate that they lie in",
                        Completes::targets)
                .option("at", "TIME", &BackupWindow::at,
                        "ask whether a recovery can end there: 2026-11-24T03:05:07Z, a "
                        "position 0/5A10F08, xid:4711, name:RESTORE-POINT, consistent, latest")
                .flag("exclusive", &BackupWindow::exclusive, "without what lies exactly there")
                .option("timeline", "N", &BackupWindow::timeline, "on this timeline, not on the newest that has it")
                .details("Reads all of the log, its checksums included, and of base backups what says where they "
                         "begin and end; `kedge verify` reads all of them. Without --base and --wal the estate's "
                         "store is read.")
                .example("kedge backup window --base /backups/base --wal /backups/wal")
                .example("kedge backup window --at 2026-11-24T03:05:07Z --json")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::negative, ExitCode::unverifiable})};
}

}  // namespace kedge
