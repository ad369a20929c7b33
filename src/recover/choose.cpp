#include "recover/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "backup/shelf.h"
#include "verify/files/examine.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::recover {
namespace {

// Why a base backup cannot be trusted; nothing if all of it was read and no damage was found.
Result<std::optional<std::string>> damage_of(const std::string& base, const ChooseOptions& options) {
    verify::Effort effort{.threads = options.threads};
    const std::stop_callback on_stop(options.stop, [&] { effort.stop = true; });
    const verify::ExaminedPath examined = TRY(verify::examine_path(base, {.now = options.now}, effort));
    for (const verify::ExaminedBackup& backup : examined.backups)
        for (const verify::Finding& finding : backup.examination.findings.kept())
            if (finding.weight == verify::Weight::damage)
                return std::optional(fmt::format("{}: {}", finding.where, finding.says));
    return std::optional<std::string>();
}

bool is_passed_over(const Choice& choice, const std::string& base) {
    return std::ranges::find(choice.passed_over, base, &PassedOver::base) != choice.passed_over.end();
}

Json moment_json(const std::optional<Moment>& moment) {
    return moment ? Json(kedge::to_string(*moment)) : Json();
}

}  // namespace

Json as_json(const std::vector<PassedOver>& passed_over) {
    Json json = Json::array();
    for (const PassedOver& one : passed_over) json.push_back({{"base", one.base}, {"why", one.why}});
    return json;
}

Json as_json(const Choice& choice) {
    const verify::Recovery& recovery = choice.recovery;
    Json json{{"target", verify::to_string(choice.target)},
              {"possible", recovery.possible},
              {"says", recovery.says},
              {"passed_over", as_json(choice.passed_over)},
              {"log_files", choice.log_files},
              {"log_is_damaged", choice.log_is_damaged}};
    if (!recovery.possible) {
        json["nearest_before"] = moment_json(recovery.before);
        json["nearest_after"] = moment_json(recovery.after);
        return json;
    }
    json["base"] = choice.base;
    json["taken"] = moment_json(choice.taken);
    json["timeline"] = *choice.target.timeline;
    json["stops_at"] = kedge::to_string(recovery.stop);
    json["to_the_end"] = recovery.to_the_end;
    json["last_transaction"] = recovery.last ? Json(kedge::to_string(recovery.last->time)) : Json();
    json["first_left_out"] = recovery.first_out ? Json(kedge::to_string(recovery.first_out->time)) : Json();
    json["copy_bytes"] = recovery.copy_bytes;
    json["replay_bytes"] = recovery.replay_bytes;
    json["takes_seconds"] = seconds(recovery.takes);
    json["takes_by"] = origin(recovery.rates.are_measured);
    return json;
}

Result<const BackupPolicy*> recovery_policy(const Estate& estate, const std::string& target,
                                            const std::optional<std::string>& name) {
    const BackupPolicy* found = nullptr;
    for (const BackupPolicy& policy : estate.backups) {
        if (policy.kind != BackupKind::base_backup || policy.of != target || policy.log.empty()) continue;
        if (name && policy.name != *name) continue;
        if (found != nullptr)
            return Error{Fault::invalid_input, fmt::format("{} has several policies of base backups", target),
                         "name one with --policy"};
        found = &policy;
    }
    if (found != nullptr) return found;
    return Error{Fault::not_found,
                 fmt::format("the estate has no policy of base backups of {} with a log{}", target,
                             name ? " called " + *name : ""),
                 "a policy of the kind base-backup with `log:` says what to recover from"};
}

Result<const BackupPolicy*> only_policy(const Estate& estate, BackupKind kind, const std::string& target,
                                        const std::optional<std::string>& name) {
    const BackupPolicy* found = nullptr;
    for (const BackupPolicy& policy : estate.backups) {
        if (policy.kind != kind || policy.of != target || (name && policy.name != *name)) continue;
        if (found != nullptr)
            return Error{Fault::invalid_input, fmt::format("{} has several policies of {}s", target, to_string(kind)),
                         "name one with --policy"};
        found = &policy;
    }
    if (found != nullptr) return found;
    return Error{Fault::not_found, fmt::format("the estate has no policy of {}s of {}{}", to_string(kind), target,
                                               name ? " called " + *name : "")};
}

Result<std::uint32_t> timeline_of_tail(const std::string& directory) {
    std::uint32_t timeline = 0;
    std::error_code failed;
    for (std::filesystem::directory_iterator file(directory, failed);
         !failed && file != std::filesystem::directory_iterator(); file.increment(failed)) {
        const verify::WalFileName name = verify::parse_wal_file_name(file->path().string());
        if (name.kind == verify::WalFileKind::segment) timeline = std::max(timeline, name.timeline);
    }
    if (failed) return Error{Fault::not_found, fmt::format("{}: {}", directory, failed.message())};
    if (timeline == 0) return Error{Fault::not_found, directory + ": there is no log in it"};
    return timeline;
}

Result<Choice> choose(const Estate& estate, const BackupPolicy& policy, const verify::RecoveryTarget& target,
                      backup::Material& material, const ChooseOptions& options) {
    const auto step = [&](const std::string& says) {
        if (options.on_step) options.on_step(says);
    };
    material.effort.threads = options.threads;
    const std::stop_callback on_stop(options.stop, [&] { material.effort.stop = true; });
    step("reading the log");
    const auto bases = TRY(backup::directories_of(estate, policy));
    const auto logs = TRY(backup::directories_of(estate, *estate.backup(policy.log)));
    TRY(backup::gather(material, bases, logs, options.tail));
    const verify::MemberTransactions transactions(material.archive, material.wal, material.limits, material.effort);
    const verify::Window window = TRY(verify::recovery_window(material.archive, material.bases, transactions));
    Choice choice{.target = target,
                  .log_files = material.archive.segments.size(),
                  .log_is_damaged = material.archive.examination.findings.any(verify::Weight::damage)};
    for (;;) {
        choice.recovery = TRY(
            verify::recovery_to(material.archive, window, target, options.now, transactions, options.pace.log,
                                [&](const verify::RecoveryBase& base) { return !is_passed_over(choice, base.name); }));
        if (!choice.recovery.possible) return choice;
        const verify::Reach& reach = window.reaches[*choice.recovery.reach];
        const verify::RecoveryBase& base = window.bases[reach.base];
        step("reading " + std::filesystem::path(base.name).filename().string());
        const auto damage = TRY(damage_of(base.name, options));
        if (damage) {
            choice.passed_over.push_back({base.name, *damage});
            continue;
        }
        choice.base = base.name;
        choice.taken = base.taken;
        choice.start = base.start;
        choice.log = backup::log_on(material, reach, choice.recovery.stop);
        // The server may read on to the end of the last segment that it is given.
        choice.makes_tablespaces = material.tablespaces.any(
            choice.start, Lsn{choice.recovery.stop.value + 2 * material.archive.segment_bytes});
        choice.target.timeline = reach.timeline;
        choice.target.inclusive = choice.recovery.inclusive;
        // The very last moment of the log is reached by all of the log, and refused by a server that is asked for it.
        if (choice.recovery.to_the_end) choice.target.kind = verify::RecoveryTarget::Kind::latest;
        return choice;
    }
}

}  // namespace kedge::recover
