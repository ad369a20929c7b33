// Turns what was read of an archive of the write-ahead log into findings, facts and proofs.
#pragma once

#include "verify/wal/wal_archive.h"

namespace kedge::verify {

// Before the seams are judged: whose log it is, and what each file says on its own.
void report_scans(WalArchive& archive, const WalRequest& request);
// After them: forks, the ends of partial segments, facts and proofs.
void report_whole(WalArchive& archive, const WalRequest& request);

}  // namespace kedge::verify
