// The schema of a database, and the migrations that move it from one version to another. Contracts as in database.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct MigrationLook {
    Truth reachable = Truth::unknown;  // whether it could be asked
    std::optional<std::int64_t> version;
    Truth sound = Truth::unknown;  // the schema is what its version says
    std::string says;
};

// Versions of the schema, both ends among them.
struct SchemaRange {
    std::int64_t least = 0, most = 0;

    bool holds(std::int64_t version) const { return least <= version && version <= most; }
};
// By the release of the application that lives with them.
using ReleaseRanges = std::map<std::string, SchemaRange>;
// As an estate writes them, which its shape has checked: release -> {least, most}.
ReleaseRanges release_ranges(const Json& declared);

class Migration {
public:
    virtual ~Migration() = default;

    // What could not be asked is an answer: reachable is not yes then, and the version is not there.
    virtual Result<MigrationLook> look(Moment deadline) = 0;
    // Moves the schema up or down to `version` and returns when it is there. No statement waits longer than
    // `lock_timeout` for a lock: those that wait behind it would wait as well. refused by the migration's own word, a
    // lock that was not had in time among them.
    virtual Result<void> migrate(std::int64_t version, Span lock_timeout, Moment deadline) = 0;
    // As the estate says; they never change.
    virtual const ReleaseRanges& releases() const = 0;
};

}  // namespace kedge
