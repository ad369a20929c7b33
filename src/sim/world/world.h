// The whole simulated world of an estate, and its targets as plans reach them.
//
// Built from the estate alone: a model for every target, of its kind and with its sites. It begins with everything
// well: the first region holds primaries and users, the others their copies.
#pragma once

#include <memory>
#include <vector>

#include "estate/estate.h"
#include "sim/world/clients.h"
#include "sim/world/simulated_application.h"
#include "sim/world/simulated_cache.h"
#include "sim/world/simulated_database.h"
#include "sim/world/simulated_index.h"
#include "sim/world/simulated_migration.h"
#include "sim/world/simulated_observation.h"
#include "sim/world/simulated_recoveries.h"
#include "targets/targets.h"

namespace kedge::sim {

class World {
public:
    World(const Estate& estate, std::uint64_t seed);
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Ground ground;
    std::vector<std::unique_ptr<DatabaseModel>> databases;
    std::vector<std::unique_ptr<CacheModel>> caches;
    std::vector<std::unique_ptr<SchemaModel>> schemas;
    std::vector<std::unique_ptr<IndexModel>> indexes;
    std::vector<std::unique_ptr<ApplicationModel>> applications;
    std::vector<std::unique_ptr<EntranceModel>> entrances;
    std::vector<std::unique_ptr<Clients>> clients;
    std::vector<SimulatedChannel*> channels;  // owned by `targets`
    SimulatedSamples* samples = nullptr;      // owned by `targets`
    SimulatedMetrics* metrics = nullptr;      // owned by `targets`; null if the estate has none
    SimulatedLogs* logs = nullptr;
    SimulatedBackups* backups = nullptr;  // owned by `targets`, as is the next
    SimulatedRecoveries* recoveries = nullptr;
    Targets targets;

    // Every part of a region, and of the outside.
    std::vector<Part*> parts_at(Place place);
    // Every process of the region dies at one instant.
    void kill_region(Place place);
    // The region can be reached from nowhere, and reaches nobody; it lives on.
    void silence_region(Place place);
    void hear_region(Place place);
    // The two regions do not hear each other; whoever stands outside hears both.
    void part(Place a, Place b);
    // Applications and caches of the region run again, as machines come back; databases stay as they are.
    void restart_region(Place place);
    // All is as if `from` had been lost a while ago and `to` had taken over: what regional-failback begins with.
    void lose_and_take_over(Place from, Place to);
    // Primaries and users are in `place`, with everything else well: for plans that begin elsewhere.
    void move_to(Place place);

private:
    void add_database(const Target& target);
    void add_cache(const Target& target);
    void add_schema(const Target& target);
    void add_index(const Target& target);
    void add_application(const Target& target);
    void add_observers(const Estate& estate);
};

}  // namespace kedge::sim
