// Watches databases all the time: a heartbeat row on the primary each second, read on every standby.
//
// Its samples are what is left to judge by when a primary is gone, and it is who keeps looking for a second
// writer after a promotion.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/clock.h"
#include "targets/samples.h"

namespace kedge {

struct ObservedDatabase {
    std::string name;
    Database* database = nullptr;  // outlives the observer
    std::vector<std::string> regions;
};

struct Observation {
    std::string database;
    LagSample sample;
    std::vector<std::string> writers;  // regions that answered as writable: more than one is an alarm
    std::string trouble;               // why no heartbeat was written, or the sample not kept; empty = all well
};

// Belongs to one thread.
class Observer {
public:
    using Keep = std::function<Result<void>(const std::string& database, const LagSample& sample)>;

    // `before` gives the newest sample of an earlier observer, so that an acknowledged heartbeat is never forgotten.
    Observer(std::vector<ObservedDatabase> databases, const Samples& before, Keep keep, const Clock& clock);

    // One pass over all databases, all sites at once, bounded by `limit`. A sample is kept even if no primary answers:
    // it says so.
    std::vector<Observation> pass(Span limit);

private:
    Observation observe(const ObservedDatabase& watched, Moment deadline);

    std::vector<ObservedDatabase> databases_;
    std::map<std::string, Heartbeat> acknowledged_;
    Keep keep_;
    const Clock& clock_;
};

}  // namespace kedge
