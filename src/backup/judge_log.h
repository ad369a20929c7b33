// The parts of judge.h that are about more than one backup.
#pragma once

#include "backup/judge.h"

namespace kedge::backup {

// fresh, continuous.
Result<Judgement> judge_log(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options);

// fresh, copied.
Result<Judgement> judge_copies(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options);

// recovered: a base backup and its log are given to a server that recovers to a moment of the window. What it ended at
// is held against what was read in the log.
Result<Answer> recover_by_chance(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options);

}  // namespace kedge::backup
