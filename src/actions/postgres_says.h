// How looks at a PostgreSQL server are put together.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "actions/says.h"

namespace kedge {

inline Json facts_of(const DatabaseLook& look) {
    Json evidence = make_object(12);  // room for what the checks add
    evidence["primary"] = to_string(look.primary);
    evidence["writable"] = to_string(look.writable);
    if (look.timeline) evidence["timeline"] = *look.timeline;
    if (look.written) evidence["written"] = to_string(*look.written);
    if (look.received) evidence["received"] = to_string(*look.received);
    if (look.replayed) evidence["replayed"] = to_string(*look.replayed);
    if (look.heartbeat) evidence["heartbeat"] = look.heartbeat->sequence;
    return evidence;
}

// The farthest position that a standby holds: it replays all of it before it opens.
inline std::optional<Lsn> held(const DatabaseLook& standby) {
    if (!standby.received) return standby.replayed;
    return standby.replayed ? std::max(*standby.received, *standby.replayed) : standby.received;
}

// Where the old primary stopped, as the step that is named by `after` found it. Nothing if that step was skipped, or
// did not succeed.
struct OldEnd {
    std::string region;
    Lsn position;
};
inline std::optional<OldEnd> old_end(const Call& call) {
    for (const Fact& fact : call.facts)
        if (fact.step == call.text("after") && fact.succeeded)
            if (const auto at = parse_lsn(get_string(fact.evidence, "stopped_at").value_or("")))
                return OldEnd{std::string(fact.region), *at};
    return std::nullopt;
}

// Calls `check` with the site's look, or reports why there is none as unknown.
template <class Judge>
Result<Look> looking_at(const Call& call, const std::string& region, Judge judge) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(region, call.deadline);
    if (!look) return unclear(fmt::format("{}@{}: {}", call.target, region, look.error().message));
    return judge(*database, *look);
}

}  // namespace kedge
