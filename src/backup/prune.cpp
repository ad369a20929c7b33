#include "backup/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "os/files.h"
#include "verify/files/own_manifest.h"

namespace kedge::backup {
namespace {

// Why each stays for its number and age; empty where it does not.
std::vector<std::string> reasons_to_stay(const BackupPolicy& policy, const Shelf& shelf, Moment now) {
    std::vector<std::string> reasons;
    std::int64_t newer = 0;
    bool window_begun = policy.log.empty();
    for (const StoredBackup& backup : shelf.backups) {
        std::string& why = reasons.emplace_back();
        if (policy.keep_at_least == 0) {
            why = "the policy removes nothing";
            continue;
        }
        if (!backup.unusable.empty() || !backup.taken) {
            why = "it does not say when it was taken: look at it, and remove it by hand";
            continue;
        }
        // It says when it began; what it was recovered to lies behind its end, which its files show.
        const bool begins_window = !window_begun && now - std::max(*backup.taken, backup.modified) >= policy.keep_for;
        window_begun = window_begun || begins_window;
        if (newer < policy.keep_at_least)
            why = fmt::format("one of the newest {}", policy.keep_at_least);
        else if (now - *backup.taken < policy.keep_for)
            why = "younger than " + to_string(policy.keep_for);
        else if (begins_window)
            why = fmt::format("the moments of the last {} are recovered from it", to_string(policy.keep_for));
        ++newer;
    }
    return reasons;
}

// What a policy of copies copies; any other is its own.
const BackupPolicy& original_of(const Estate& estate, const BackupPolicy& policy) {
    return policy.kind == BackupKind::copy ? *estate.backup(policy.of) : policy;
}

// As the policy of copies keeps them: of copies of base backups, the window too.
BackupPolicy rules_of_copies(const Estate& estate, const BackupPolicy& policy) {
    BackupPolicy rules = policy;
    rules.log = estate.backup(policy.of)->log;
    return rules;
}

// By the judgement of what it is a copy of.
class ProvedCopies {
public:
    ProvedCopies(const Shelf* source, Verdicts verdicts, verify::Effort& effort)
        : source_(source), verdicts_(std::move(verdicts)), effort_(effort) {}

    bool operator()(const StoredBackup& copy) const {
        const Judgement* judgement = verdicts_.of(copy.name);
        if (judgement == nullptr || !judgement->is_sound()) return false;
        const std::string expected = digest_of(*judgement);
        // What cannot be read is not proved.
        return !expected.empty() && verify::content_digest(copy.path, {}, effort_).value_or("") == expected;
    }

private:
    // Without a manifest none was made: then of the source, if it is still there as it was judged.
    std::string digest_of(const Judgement& judgement) const {
        if (!judgement.digest.empty() || source_ == nullptr) return judgement.digest;
        for (const StoredBackup& backup : source_->backups)
            if (backup.name == judgement.name && backup.fingerprint == judgement.fingerprint)
                return verify::content_digest(backup.path, {}, effort_).value_or("");
        return "";
    }

    const Shelf* const source_;
    const Verdicts verdicts_;
    verify::Effort& effort_;
};

Result<Pruning> plan_copies(const Estate& estate, const BackupPolicy& policy, const Shelf& shelf,
                            const std::string& state_directory, Moment now, verify::Effort& effort) {
    const BackupPolicy& of = *estate.backup(policy.of);
    // The source may be lost: the copies are all there is then, and what was judged of it still tells of them.
    const Result<Shelf> source = look_at_shelf(estate, of, now);
    const ProvedCopies is_proved(source ? &*source : nullptr, TRY(read_verdicts(state_directory, of.name)), effort);
    return plan_pruning(rules_of_copies(estate, policy), shelf, is_proved, now);
}

}  // namespace

bool Pruning::removes_any() const {
    return std::ranges::any_of(rows, &Row::goes) || !unfinished.empty() || (log && !log->going.empty());
}

IsProved proved_by(const Verdicts& verdicts) {
    return [&verdicts](const StoredBackup& backup) {
        const Judgement* judgement = verdicts.of(backup.name);
        return judgement != nullptr && judgement->fingerprint == backup.fingerprint && judgement->is_sound();
    };
}

Pruning plan_pruning(const BackupPolicy& policy, const Shelf& shelf, const IsProved& is_proved, Moment now) {
    Pruning pruning{.directory = shelf.directory, .rows = {}, .unfinished = shelf.unfinished, .log = {}};
    const std::vector<std::string> reasons = reasons_to_stay(policy, shelf, now);
    // Proofs may cost: they are asked for only where something would go.
    const bool any = std::ranges::any_of(reasons, &std::string::empty);
    std::size_t staying = 0;
    bool proved_one_stays = !any;
    for (std::size_t i = 0; i < shelf.backups.size(); ++i) {
        Pruning::Row row{.backup = shelf.backups[i], .why = reasons[i]};
        const bool first_proved = !proved_one_stays && is_proved(row.backup);
        if (row.why.empty() && first_proved)
            row.why = "the newest that is proved";
        else if (row.why.empty() && !proved_one_stays)
            row.why = "none that is newer is proved: verify first";
        else if (row.why.empty())
            row.goes = true;
        proved_one_stays = proved_one_stays || first_proved;
        if (row.goes)
            row.why = fmt::format("older than {}, and {} newer ones stay", to_string(policy.keep_for), staying);
        if (!row.goes && row.backup.unusable.empty() && row.backup.taken) ++staying;
        pruning.rows.push_back(std::move(row));
    }
    return pruning;
}

Result<Pruning> plan_pruning(const Estate& estate, const BackupPolicy& policy, const std::string& state_directory,
                             Moment now, verify::Effort& effort) {
    const Shelf shelf = TRY(look_at_shelf(estate, policy, now));
    const BackupPolicy& original = original_of(estate, policy);
    if (original.kind == BackupKind::log) {
        Pruning pruning{.directory = shelf.directory, .rows = {}, .unfinished = {}, .log = {}};
        pruning.log = TRY(plan_log_pruning(policy, shelf.log, TRY(needs_of_log(estate, original, now)), now));
        return pruning;
    }
    if (policy.kind == BackupKind::copy) return plan_copies(estate, policy, shelf, state_directory, now, effort);
    const Verdicts verdicts = TRY(read_verdicts(state_directory, policy.name));
    return plan_pruning(policy, shelf, proved_by(verdicts), now);
}

bool is_past_copying(const Estate& estate, const BackupPolicy& policy, const Shelf& source, const StoredBackup& backup,
                     Moment now) {
    const std::vector<std::string> reasons = reasons_to_stay(rules_of_copies(estate, policy), source, now);
    for (std::size_t i = 0; i < reasons.size(); ++i)
        if (source.backups[i].name == backup.name) return reasons[i].empty();
    return false;
}

std::vector<const BackupPolicy*> policies_to_lock(const Estate& estate, const BackupPolicy& policy) {
    std::vector<const BackupPolicy*> policies{&policy};
    const BackupPolicy& original = original_of(estate, policy);
    if (original.kind == BackupKind::log)
        std::ranges::copy(policies_needing(estate, original), std::back_inserter(policies));
    return policies;
}

Result<void> remove_backup(const StoredBackup& backup) {
    const std::size_t slash = backup.path.rfind('/');
    const std::string going = fmt::format("{}/{}{}", backup.path.substr(0, slash), unfinished_prefix, backup.name);
    TRY(rename_into_place(backup.path, going));
    for (const std::string_view suffix :
         {verify::globals_suffix, verify::manifest_digest_suffix, verify::manifest_suffix})
        TRY(remove_stored(backup.path + std::string(suffix)));
    return remove_stored(going);
}

Result<void> carry_out(const Pruning& pruning) {
    for (const std::string& name : pruning.unfinished) TRY(remove_stored(pruning.directory + "/" + name));
    for (const Pruning::Row& row : std::views::reverse(pruning.rows))
        if (row.goes) TRY(remove_backup(row.backup));
    if (pruning.log)
        for (const LogFile& file : pruning.log->going) TRY(remove_stored(pruning.directory + "/" + file.name));
    return {};
}

}  // namespace kedge::backup
