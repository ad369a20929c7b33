// What an old primary wrote after the point where the new one left its history: found in its log, counted by
// table, and copied to a safe place before anybody rewinds it away.
#pragma once

#include <string>

#include "targets/database.h"
#include "targets/postgres/host_server.h"

namespace kedge {

// Reads the log of the stopped server `old` from the fork to its valid end. Below KEEP_UNDER/NAME-POSITION, on the
// machine where Kedge runs, it leaves the log files from the fork on, `records.txt` (every record, in words) and
// `summary.txt`; an export made before of the same fork is replaced. The data directory is only read.
//
// Counted are rows of committed transactions. A transaction that was already open more than one log file before the
// fork counts with what it did since. Names of tables are those that the new primary has for the same file; a file
// that came into being beyond the fork keeps its path, as does one of another database.
//
// refused while the server runs, when the two are not one database, or when the primary is on the same timeline;
// not_found when the log no longer reaches back to the fork; corrupt when it ends before its own last checkpoint.
Result<StrandedTail> export_stranded_tail(const HostServer& old, HostServer& primary, const std::string& keep_under,
                                          const Until& until);

// Where the record of the shutdown checkpoint of a cleanly stopped server ends: a standby that has received up to
// there has everything. Nothing when it runs, crashed, or was a standby.
Result<std::optional<Lsn>> stopped_at(const HostServer& server, const Until& until);

}  // namespace kedge
