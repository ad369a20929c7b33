// The public entrance: weights by region, health by its own checks, sessions that outlive a shift.
#pragma once

#include <string>
#include <vector>

#include "sim/world/application_model.h"

namespace kedge::sim {

class EntranceModel {
public:
    struct Share {
        int weight = 0;
        bool closed = false;  // by a shift: it is not checked
        bool healthy = true;  // as of its last check
        std::int64_t sessions = 0;
    };

    // `behind` is what it leads to; it outlives this. All traffic goes to the first region.
    EntranceModel(Ground& ground, std::string name, std::size_t index, ApplicationModel* behind);

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    Part& part() { return part_; }
    std::vector<Share>& shares() { return shares_; }
    const std::vector<Share>& shares() const { return shares_; }

    void shift(const std::vector<std::pair<Place, int>>& weights);
    void cut_sessions(Place place);
    // Where the next request goes, by weight among the healthy; nothing if nobody is there to take it.
    std::optional<Place> route();
    // Whether a session with this region goes on: it outlives that the region is closed, and ends when it is cut or
    // when a region that is open fails.
    bool keeps(Place place) const {
        const Share& share = shares_[place];
        return part_.health == Health::up && (share.healthy || share.closed) && share.sessions > 0;
    }

private:
    void check_health();

    Ground& ground_;
    std::string name_;
    std::size_t index_;
    ApplicationModel* behind_;
    Part part_;
    std::vector<Share> shares_;
};

}  // namespace kedge::sim
