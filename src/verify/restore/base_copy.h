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
    std::string path;         // the data directory of a plain backup, or the directory of the tars
    std::vector<Member> wal;  // of the archive, by the names of its files; packed or not. Beside what the backup brings
};

// What has to be known before anything is copied.
struct BaseLook {
    std::string version;      // what its PG_VERSION says; empty: there is none
    std::uint64_t bytes = 0;  // of the copy on disk, with what the server itself writes while it recovers
};
// Of tars all is read for that (tar_backup.h): corrupt if one is broken.
Result<BaseLook> look_at_base(const BaseAndLog& what, const std::optional<Login>& owner, const std::stop_token& stop);

// Whether log that a copy replays, what the backup itself brought included, makes tablespaces when it is replayed
// (verify/wal/new_tablespaces.h).
Result<bool> copy_makes_tablespaces(const BaseAndLog& what, const std::string& data, const std::optional<Login>& owner,
                                    std::size_t threads, const std::stop_token& stop);

// Into `data`, which does not exist yet, readable by `owner` alone. Settings, signals, slots and links of the original
// are left out: tablespaces lie in `data`-tablespaces. All of the log lies in its pg_wal, as far as it can in links to
// the archive, which are gone when the recovery is done (log_beside.h), and it is marked for recovery.
// What needs more than `bytes_max` is not written: conflict.
Result<void> copy_base_backup(const BaseAndLog& what, const std::string& data, const std::optional<Login>& owner,
                              const std::stop_token& stop, const std::function<void(const std::string&)>& on_step,
                              std::uint64_t bytes_max = UINT64_MAX);

// Lines of postgresql.conf. `target.timeline` must be set, but for `consistent`.
std::string recovery_settings(const RecoveryTarget& target);

// When the last transaction ended that a recovery replayed, as the server's log says; nothing if there was none.
std::optional<Moment> last_transaction(const std::string& log);

}  // namespace kedge::verify
