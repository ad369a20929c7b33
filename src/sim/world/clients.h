// The users: numbered rows all the time, through the public entrance, to the database and to the cache.
//
// Every range is one event. Some come from users who stay connected to where they were sent when they came. What was
// acknowledged is counted against what is there in the end; how long nothing was acknowledged is the outage that users
// feel.
#pragma once

#include <deque>
#include <optional>

#include "sim/world/entrance_model.h"

namespace kedge::sim {

class Clients {
public:
    Clients(Ground& ground, ApplicationModel& application, EntranceModel& entrance);

    // From the first failed write until the first of ten seconds of unbroken acknowledged ones.
    struct Outage {
        Moment from{};
        std::optional<Moment> until;
    };
    const std::vector<Outage>& outages() const { return outages_; }
    bool are_served() const { return outages_.empty() || outages_.back().until; }
    // Since when every write was acknowledged; nothing while they fail.
    std::optional<Moment> served_since() const { return served_since_; }
    // Of the writes to a region's instances, one was sent there at this moment at last.
    Moment last_sent(Place place) const { return last_sent_[place]; }

    std::int64_t acknowledged() const { return acknowledged_; }
    std::int64_t sessions_acknowledged() const { return sessions_acknowledged_; }

private:
    void write();
    std::optional<Place> where_to();
    void judge(bool served);
    void try_held();

    struct Held {
        Place place;
        std::int64_t first, count;
        Moment since;
    };

    Ground& ground_;
    ApplicationModel& application_;
    EntranceModel& entrance_;
    std::deque<Held> held_;
    std::optional<Place> connected_;  // where somebody stays connected
    std::uint64_t writes_ = 0;
    std::int64_t next_row_ = 1, next_session_ = 1;
    std::int64_t acknowledged_ = 0, sessions_acknowledged_ = 0;
    std::vector<Outage> outages_;
    std::optional<Moment> served_since_;
    std::vector<Moment> last_sent_;
};

}  // namespace kedge::sim
