#include "backup/prune.h"

#include <fmt/format.h>

#include "os/files.h"
#include "verify/manifest/block_manifest.h"

namespace kedge::backup {
namespace {

bool is_proved(const StoredBackup& backup, const Verdicts& verdicts) {
    const Judgement* judgement = verdicts.of(backup.name);
    if (judgement == nullptr || judgement->fingerprint != backup.fingerprint) return false;
    const Answer *intact = judgement->answer("intact"), *proved = judgement->answer("proved");
    return intact != nullptr && intact->holds == Truth::yes && proved != nullptr && proved->holds == Truth::yes;
}

}  // namespace

Pruning plan_pruning(const BackupPolicy& policy, const Shelf& shelf, const Verdicts& verdicts, Moment now) {
    Pruning pruning;
    std::int64_t newer = 0;
    bool proved_one_stays = false;
    for (const StoredBackup& backup : shelf.backups) {
        Pruning::Row row{.backup = &backup};
        const bool first_proved = !proved_one_stays && is_proved(backup, verdicts);
        proved_one_stays = proved_one_stays || first_proved;
        if (policy.keep_at_least == 0)
            row.why = "the policy removes nothing";
        else if (!backup.unusable.empty() || !backup.taken)
            row.why = "it does not say when it was taken: look at it, and remove it by hand";
        else if (newer < policy.keep_at_least)
            row.why = fmt::format("one of the newest {}", policy.keep_at_least);
        else if (now - *backup.taken < policy.keep_for)
            row.why = "younger than " + to_string(policy.keep_for);
        else if (first_proved)
            row.why = "the newest that is proved";
        else if (!proved_one_stays)
            row.why = "none that is newer is proved: verify first";
        else
            row.goes = true;
        if (row.goes) row.why = fmt::format("older than {}, and {} newer ones stay", to_string(policy.keep_for), newer);
        if (!row.goes && backup.unusable.empty() && backup.taken) ++newer;
        pruning.rows.push_back(std::move(row));
    }
    return pruning;
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

}  // namespace kedge::backup
