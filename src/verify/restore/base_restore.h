// Proves a base backup, and the log that goes with it, by having a real server recover from a copy of them.
#pragma once

#include "verify/restore/base_copy.h"
#include "verify/restore/restore.h"

namespace kedge::verify {

struct BaseRestore {
    BaseAndLog from;
    RecoveryTarget to{.kind = RecoveryTarget::Kind::consistent};
};

// The copy is made in the workplace, without the settings, signals and links of the original: tablespaces lie
// beside it. Tars are read twice: once to know what they need, once to write them out (tar_backup.h). The server
// answers on a unix socket only, archives nothing and connects to nobody.
//
// Adds, beside what restore.h says, tables with their rows to the contents ("shop.public.orders"), and to the facts
// `restored_rows`, `restored_tables`, and `last_transaction_us` (since 1970) if recovery named it.
Result<void> restore_base_backup(const BaseRestore& what, Examination& examination, const RestoreOptions& options);

}  // namespace kedge::verify
