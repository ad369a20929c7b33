// From what a database would be recovered to a point, or why it cannot be: the base backup, the timeline, the log.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/material.h"
#include "base/result.h"
#include "base/time.h"
#include "estate/estate.h"
#include "recover/pace.h"
#include "verify/wal/recovery_target.h"
#include "verify/wal/window.h"

namespace kedge::recover {

// A base backup that would have served, but for its damage.
struct PassedOver {
    std::string base;
    std::string why;
};

Json as_json(const std::vector<PassedOver>& passed_over);

struct Choice {
    verify::RecoveryTarget target;  // as it was asked for, with the timeline that was chosen
    verify::Recovery recovery;      // whether it is possible; if it is not, why, and what is nearest
    std::string base;               // the path of the backup
    std::optional<Moment> taken;    // about when that was taken
    std::vector<PassedOver> passed_over;
    Lsn start;                        // where its replay begins
    std::vector<verify::Member> log;  // on the way to the target, and no more
    std::uint64_t log_files = 0;      // in the archive
    bool log_is_damaged = false;      // somewhere, perhaps not on the way
    bool makes_tablespaces = false;   // the log on the way (verify/wal/new_tablespaces.h)
};
Json as_json(const Choice& choice);

struct ChooseOptions {
    Moment now{};
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
    Pace pace{};
    std::string tail{};  // a directory with log that an old primary alone held (backup/material.h)
};

// The policy of base backups by which `target` is recovered: `name`, or the only one that names a log. not_found.
Result<const BackupPolicy*> recovery_policy(const Estate& estate, const std::string& target,
                                            const std::optional<std::string>& name);

// The policy of `kind` about `target`: `name`, or the only one. not_found; invalid_input if there are several.
Result<const BackupPolicy*> only_policy(const Estate& estate, BackupKind kind, const std::string& target,
                                        const std::optional<std::string>& name);

// Of the newest log file in a directory with log that an old primary alone held. not_found if none is there.
Result<std::uint32_t> timeline_of_tail(const std::string& directory);

// Reads all of the log and all of the base backup that is chosen: the newest that leads to the target and is sound,
// from where it lies or from a policy that copies it, as log that is missing is. A damaged one is passed over and said.
// Fills `material`, which the choice refers to. Errors are those of this machine, and a target that is ambiguous.
Result<Choice> choose(const Estate& estate, const BackupPolicy& policy, const verify::RecoveryTarget& target,
                      backup::Material& material, const ChooseOptions& options);

}  // namespace kedge::recover
