// Sets faults of the lab's network: what the relay's control socket understands, as functions.
#pragma once

#include <string>
#include <vector>

#include "lab/line_service.h"
#include "lab/relay_paths.h"

namespace kedge::lab {

// One direction between two sites; what is not given stays as it is.
struct PathChange {
    Site from, to;
    std::optional<Span> delay{};
    std::optional<Span> jitter{};
    std::optional<double> loss{};
    std::optional<Passage> passage{};
};
// Everything to and from one server that passes the relay, whatever the site.
struct HostChange {
    std::string host;
    Passage passage;
};

class RelayClient {
public:
    explicit RelayClient(std::string control_path) : path_(std::move(control_path)) {}

    // All changes at one instant, or none. unavailable if the relay does not answer.
    Result<void> change(const std::vector<PathChange>& paths, const std::vector<HostChange>& hosts,
                        const Until& until) const;
    // Paths with their settings and bytes, servers with a fault, routes with their connections.
    Result<Json> describe(const Until& until) const;

private:
    std::string path_;
};

}  // namespace kedge::lab
