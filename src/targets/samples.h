// What the observer saw last of each database: the evidence that is left when a primary is gone.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "targets/database.h"

namespace kedge {

// One observation, taken in one pass over all sites.
struct LagSample {
    Moment at{};                                // when the pass ended
    std::string primary;                        // region of the server that took the heartbeat; "" = none did
    std::optional<Heartbeat> acknowledged;      // the newest that the primary acknowledged, ever
    std::map<std::string, DatabaseLook> sites;  // by region
};

class Samples {
public:
    virtual ~Samples() = default;
    // The newest sample of a database; nothing if there never was one. Any thread may call.
    virtual Result<std::optional<LagSample>> latest(const std::string& database) const = 0;
};

}  // namespace kedge
