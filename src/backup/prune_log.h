// What of an archive of the log no base backup needs any more.
//
// A base backup needs the log from the segment on in which it begins, towards every timeline. What lies before the
// first such segment of all base backups goes, in one piece, so that what stays has no new gap. As pg_archivecleanup
// does, the timeline in a segment's name is not looked at: on whatever timeline, it is older.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/shelf.h"

namespace kedge::backup {

struct LogPruning {
    std::vector<LogFile> going;  // segments, partial ones and backup histories, the oldest first. Never a timeline's
    std::uint64_t bytes = 0;     // of those
    std::string begins;          // the first segment that stays because of a base backup; empty: it was not asked
    std::string why;             // one sentence: whose log begins there, or why nothing goes
};

// A base backup that needs the log.
struct LogNeed {
    std::string who;     // "base_20261125_020000 of base-backups"
    std::string begins;  // the name of a segment; empty: it does not say
};

// Beside what `needs` hold, the newest `keep.at-least` segments stay, and those that were written less than `keep.for`
// ago. Nothing goes if there is no base backup. refused if one does not say where it begins.
Result<LogPruning> plan_log_pruning(const BackupPolicy& policy, const StoredLog& log, const std::vector<LogNeed>& needs,
                                    Moment now);

// The policies whose base backups are recovered with this log: those that name it, and the copies of such.
std::vector<const BackupPolicy*> policies_needing(const Estate& estate, const BackupPolicy& log);

// Every base backup of theirs. Errors if one of their directories cannot be looked at: what lies there may need it.
Result<std::vector<LogNeed>> needs_of_log(const Estate& estate, const BackupPolicy& log, Moment now);

}  // namespace kedge::backup
