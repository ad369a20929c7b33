// What a policy no longer keeps, and its removal.
//
// Kept are: the newest `keep.at-least`, what is younger than `keep.for`, the newest that is proved and what is newer
// than it, and what does not say when it was taken. Of base backups with their log also the one with which the window
// of `keep.for` begins, since a recovery to any moment needs a base backup from before it. Of the log what any base
// backup needs (prune_log.h). Without `keep` everything is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/prune_log.h"
#include "backup/shelf.h"
#include "backup/verdicts.h"
#include "verify/effort.h"

namespace kedge::backup {

struct Pruning {
    struct Row {
        StoredBackup backup;
        bool goes = false;
        std::string why;  // "younger than 7d", "the newest that is proved", "older than 7d, and 9 newer ones stay"
    };
    std::string directory;
    std::vector<Row> rows;                // as on the shelf: the newest first
    std::vector<std::string> unfinished;  // what a killed process left: names; they go
    std::optional<LogPruning> log;        // of a policy of that kind

    bool removes_any() const;
};

// Whether a backup is proved, and is still as it was then. Asked of each from the newest on, until one is.
using IsProved = std::function<bool(const StoredBackup& backup)>;
// By the judgements of its own policy.
IsProved proved_by(const Verdicts& verdicts);

// Of backups, one by one: by time, number and proof alone.
Pruning plan_pruning(const BackupPolicy& policy, const Shelf& shelf, const IsProved& is_proved, Moment now);

// Of whatever kind the policy is; verdicts are read from the state directory. A copy is proved if what it is a copy of
// was, and its content, which is read for that, has the same digest. refused with what is not known if the log cannot
// be pruned because of it.
Result<Pruning> plan_pruning(const Estate& estate, const BackupPolicy& policy, const std::string& state_directory,
                             Moment now, verify::Effort& effort);

// Whether `policy`, one of copies, would remove a copy of `backup` for its age as soon as it is made.
bool is_past_copying(const Estate& estate, const BackupPolicy& policy, const Shelf& source, const StoredBackup& backup,
                     Moment now);

// Removes what goes, the oldest first. The caller holds the locks of `policies_to_lock`.
Result<void> carry_out(const Pruning& pruning);

// The policy, and of the log those of the base backups that need it: nobody may make or remove any meanwhile.
std::vector<const BackupPolicy*> policies_to_lock(const Estate& estate, const BackupPolicy& policy);

// Removes one with its companions, its own name first, so that what is half removed is no backup. The caller holds the
// policy's lock.
Result<void> remove_backup(const StoredBackup& backup);

}  // namespace kedge::backup
