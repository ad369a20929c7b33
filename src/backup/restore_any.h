// Gives a backup that was examined to a real server of its kind.
#pragma once

#include <string>

#include "verify/files/examine.h"
#include "verify/restore/restore.h"

namespace kedge::backup {

// `wal`: the directory of archived log that a base backup may need; empty: it has to suffice by itself. What is damaged
// already is not given to a server: there is nothing left to prove. Errors as in restore.h.
Result<void> restore_any(verify::ExaminedBackup& backup, const std::string& wal, const verify::RestoreOptions& options);

}  // namespace kedge::backup
