// Where the users' traffic goes: weights by region. Contracts as in database.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct TrafficShare {
    int weight = 0;                        // as configured now, of the sum of all weights
    Truth open = Truth::unknown;           // no = nothing can reach it, whatever the others' health
    Truth healthy = Truth::unknown;        // by the entrance's own checks
    std::optional<std::int64_t> sessions;  // open now
};

using TrafficLook = std::map<std::string, TrafficShare>;  // by region

class Traffic {
public:
    virtual ~Traffic() = default;

    virtual Result<TrafficLook> look(Moment deadline) = 0;
    // Sets every region's weight at once. A weight of 0 closes the region: no fallback sends traffic there.
    // Regions that are not named keep what they have. Idempotent.
    virtual Result<void> shift(const std::map<std::string, int>& weights, Moment deadline) = 0;
    // Ends the sessions that still go to `region`. Idempotent.
    virtual Result<void> cut_sessions(const std::string& region, Moment deadline) = 0;
};

}  // namespace kedge
