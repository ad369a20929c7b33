// A copy of a base backup, and of the log that goes with it, ready for a server of ours to recover from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/process.h"
#include "verify/member.h"
#include "verify/wal/recovery_target.h"

namespace kedge::verify {

struct BaseAndLog {
    std::string path;         // a plain backup: the data directory
    std::vector<Member> wal;  // of the archive, by the names of its files; packed or not. Beside what the backup brings
};

// On disk, with what the server itself writes while it recovers.
Result<std::uint64_t> bytes_of_copy(const BaseAndLog& what);

// Whether the log makes tablespaces. A replayed CREATE TABLESPACE makes its directory where the original has it,
// perhaps in production's own: a server on this machine must not be given such log.
bool makes_tablespaces(const std::vector<Member>& wal, std::size_t threads);

// Into `data`, which does not exist yet, readable by `owner` alone. Settings, signals and links of the original are
// left out: tablespaces become directories of the copy. All of the log lies in its pg_wal, and it is marked for
// recovery.
Result<void> copy_base_backup(const BaseAndLog& what, const std::string& data, const std::optional<Login>& owner,
                              const std::stop_token& stop, const std::function<void(const std::string&)>& on_step);

// Lines of postgresql.conf. `target.timeline` must be set, but for `consistent`.
std::string recovery_settings(const RecoveryTarget& target);

// When the last transaction ended that a recovery replayed, as the server's log says; nothing if there was none.
std::optional<Moment> last_transaction(const std::string& log);

}  // namespace kedge::verify
