#include "backup/prune_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kedge::backup {
namespace {

// Where a segment stands, whatever its timeline and however large segments are.
using Place = std::pair<std::uint32_t, std::uint32_t>;

Place place_of(const verify::WalFileName& parts) {
    return {parts.log, parts.segment};
}

bool has_place(const LogFile& file) {
    return file.parts.kind != verify::WalFileKind::history && file.parts.kind != verify::WalFileKind::foreign;
}

// Where what the policy keeps by number and age begins.
Place kept_by_age(const BackupPolicy& policy, const StoredLog& log, Moment now) {
    Place first{UINT32_MAX, UINT32_MAX};
    std::vector<Place> segments;
    for (const LogFile& file : log.files) {
        if (!has_place(file)) continue;
        if (now - file.modified < policy.keep_for) first = std::min(first, place_of(file.parts));
        if (file.parts.kind == verify::WalFileKind::segment) segments.push_back(place_of(file.parts));
    }
    std::ranges::sort(segments, std::greater{});
    const auto count = std::min(static_cast<std::size_t>(policy.keep_at_least), segments.size());
    return count == 0 ? first : std::min(first, segments[count - 1]);
}

}  // namespace

Result<LogPruning> plan_log_pruning(const BackupPolicy& policy, const StoredLog& log, const std::vector<LogNeed>& needs,
                                    Moment now) {
    if (policy.keep_at_least == 0) return LogPruning{.why = "the policy removes nothing"};
    if (needs.empty()) return LogPruning{.why = "there is no base backup from which it would be replayed: all stays"};
    LogPruning pruning;
    Place first{UINT32_MAX, UINT32_MAX};
    for (const LogNeed& need : needs) {
        const verify::WalFileName parts = verify::parse_wal_file_name(need.begins);
        if (parts.kind != verify::WalFileKind::segment)
            return Error{Fault::refused, need.who + " does not say where in the log it begins",
                         "look at it, and move it away if it is no base backup"};
        if (place_of(parts) >= first) continue;
        first = place_of(parts);
        pruning.begins = need.begins;
        pruning.why = fmt::format("{}, the first that is needed, begins in {}", need.who, need.begins);
    }
    const Place kept = std::min(first, kept_by_age(policy, log, now));
    for (const LogFile& file : log.files)
        if (has_place(file) && place_of(file.parts) < kept) {
            pruning.going.push_back(file);
            pruning.bytes += file.bytes;
        }
    std::ranges::stable_sort(pruning.going, {}, [](const LogFile& file) { return place_of(file.parts); });
    return pruning;
}

std::vector<const BackupPolicy*> policies_needing(const Estate& estate, const BackupPolicy& log) {
    std::vector<const BackupPolicy*> policies;
    for (const BackupPolicy& policy : estate.backups) {
        const BackupPolicy* source = policy.kind == BackupKind::copy ? estate.backup(policy.of) : &policy;
        if (source->kind == BackupKind::base_backup && source->log == log.name) policies.push_back(&policy);
    }
    return policies;
}

Result<std::vector<LogNeed>> needs_of_log(const Estate& estate, const BackupPolicy& log, Moment now) {
    std::vector<LogNeed> needs;
    for (const BackupPolicy* policy : policies_needing(estate, log)) {
        const Shelf shelf = TRY(look_at_shelf(estate, *policy, now).within(policy->name));
        for (const StoredBackup& backup : shelf.backups)
            needs.push_back({fmt::format("{} of {}", backup.name, policy->name), backup.log_begins});
    }
    return needs;
}

}  // namespace kedge::backup
