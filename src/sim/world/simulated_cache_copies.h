// Data sets of caches that the simulated world recovers beside production. Each is a point of its cache's log, without
// the keys that must not come back; one that may be used answers at the address where nodes copy it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/world/simulated_backups.h"
#include "targets/recoveries.h"

namespace kedge::sim {

class CacheCopies {
public:
    enum class Stage { failed, gated, recovered };
    struct Copy {
        std::string key;
        Stage stage = Stage::failed;
        CacheModel* cache = nullptr;
        SimulatedBackups::Snapshot snapshot;
        Point holds;
        std::int64_t keys = 0;
        std::string says;
        Json choice = Json::object(), proof = Json::object();
        std::optional<Point> kept;  // what was aside before it was replaced
    };

    // All outlive it.
    CacheCopies(Ground& ground, const SimulatedBackups& backups, std::vector<CacheModel*> caches);

    // False if there is no such copy.
    bool fill(const std::string& name, RecoveryLook& look) const;
    // As work beside a controller: why it came to nothing; nothing if it left its result.
    std::optional<std::string> restore(const SnapshotOrder& order, const std::string& key, bool excluded_are_known);
    std::optional<std::string> keep(const std::string& name, const std::string& region, const std::string& key);
    void remove(const std::string& name);

    // The servers of all copies end.
    void stop();
    // They are started again, and whoever was excluded and is known now is taken out of those that stayed shut.
    void mend();
    const std::map<std::string, Copy>& copies() const { return copies_; }

    // For tests of the judges: keys that must not come back are left where they are.
    bool leaves_excluded = false;

private:
    Copy choose(const SnapshotOrder& order, const std::string& key, CacheModel& cache,
                const std::vector<SimulatedBackups::Snapshot>& snapshots) const;
    void publish(Copy& copy);

    Ground& ground_;
    const SimulatedBackups& backups_;
    std::vector<CacheModel*> caches_;
    std::map<std::string, Copy> copies_;
};

}  // namespace kedge::sim
