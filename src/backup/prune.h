// Which backups a policy no longer keeps, and their removal.
#pragma once

#include <string>
#include <vector>

#include "backup/shelf.h"
#include "backup/verdicts.h"

namespace kedge::backup {

struct Pruning {
    struct Row {
        const StoredBackup* backup = nullptr;
        bool goes = false;
        std::string why;  // "newer than 7d", "the newest that is proved", "older than 7d, and 9 newer ones stay"
    };
    std::vector<Row> rows;  // as on the shelf: the newest first
};

// Kept are: the newest `keep.at-least`, what is younger than `keep.for`, the newest that a judgement proves and that
// has not changed since, and what does not say when it was taken. Without `keep` everything is. `shelf` outlives it.
Pruning plan_pruning(const BackupPolicy& policy, const Shelf& shelf, const Verdicts& verdicts, Moment now);

// Removes one with its companions, its own name first, so that what is half removed is no backup. The caller holds the
// policy's lock.
Result<void> remove_backup(const StoredBackup& backup);

}  // namespace kedge::backup
