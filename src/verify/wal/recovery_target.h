// Where a recovery is asked to end, as PostgreSQL's settings recovery_target_* can say it (PostgreSQL manual, 20.5.6).
//
//     2026-11-24T03:05:07Z   a moment, always with its zone: up to the last commit that is not later
//     0/5A10F08              a position of the log: up to what begins there
//     xid:4711               a transaction: up to its end
//     name:before-migration  a restore point (pg_create_restore_point)
//     consistent             as soon as the base backup is consistent
//     latest                 all of the log
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"

namespace kedge::verify {

struct RecoveryTarget {
    enum class Kind { moment, position, transaction, restore_point, consistent, latest };

    Kind kind = Kind::latest;
    Moment moment{};  // of that kind; so are the next three
    Lsn position{};
    std::uint32_t transaction = 0;
    std::string name{};
    // Of a moment, a position or a transaction: whether what lies exactly there is in.
    bool inclusive = true;
    std::optional<std::uint32_t> timeline{};  // nothing: the newest on which it is reached

    bool accepts(std::uint32_t other) const { return !timeline || *timeline == other; }

    static RecoveryTarget at(Moment moment) { return {.kind = Kind::moment, .moment = moment}; }
};

// invalid_input, with the forms there are, for anything else; for a moment without a zone by name.
Result<RecoveryTarget> parse_recovery_target(std::string_view text);
// As it is written, and "before" in front of it if it is not in.
std::string to_string(const RecoveryTarget& target);

}  // namespace kedge::verify
