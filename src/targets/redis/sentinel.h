// What one Sentinel says, out of its own commands. Its data on replicas may be ten seconds old.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/truth.h"
#include "targets/redis/resp.h"

namespace kedge {

struct SentinelsReplica {
    Endpoint at;
    bool down = false;            // s_down, o_down or disconnected in the Sentinel's eyes
    bool link_up = false;         // its link to the master, as it last told
    std::int64_t priority = 100;  // 0 = never to be promoted
    std::optional<Span> heard;    // so long ago it answered INFO
};

struct SentinelReport {
    Truth reachable = Truth::unknown;
    std::string says;
    Truth knows_master = Truth::unknown;  // it watches a master of that name
    std::optional<Endpoint> master;
    Truth quorum = Truth::unknown;  // CKQUORUM: a quorum and a majority can be reached
    Truth tilt = Truth::unknown;    // it mistrusts its clock and does nothing
    Truth failing_over = Truth::unknown;
    std::optional<std::int64_t> configured_quorum;
    std::optional<Span> down_after;
    std::vector<SentinelsReplica> replicas;

    Truth calm() const { return both(negated(tilt), negated(failing_over)); }
};

// One round trip. Never an error: a Sentinel that is silent is a report too.
SentinelReport ask_sentinel(RedisClient& client, const std::string& master_name, const Until& until);

}  // namespace kedge
