// Backups, the log, and copies that are recovered from them beside production.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

void store_of_backups_is_silent(Staging& staging) {
    Part& store = staging.world().backups->part();
    Ground& ground = staging.world().ground;
    staging.later([&ground, &store] { ground.set_health(store, Health::frozen); },
                  [&ground, &store] { ground.set_health(store, Health::up); });
}
void newest_backups_are_damaged(Staging& staging) {
    SimulatedBackups& backups = *staging.world().backups;
    staging.later([&backups] { backups.damage_newest(); });
}
void log_has_a_gap(Staging& staging) {
    SimulatedBackups& backups = *staging.world().backups;
    staging.later([&backups] { backups.has_gap = true; });
}
void side_work_dies(Staging& staging) {
    World& world = staging.world();
    staging.later([&world] {
        world.backups->work().kill();
        world.recoveries->work().kill();
    });
}
void excluded_are_not_known(Staging& staging) {
    SimulatedRecoveries& recoveries = *staging.world().recoveries;
    staging.later([&recoveries] { recoveries.excluded_are_known = false; },
                  [&recoveries] { recoveries.excluded_are_known = true; }, 1s, 10min);
}
void copy_ends(Staging& staging) {
    SimulatedRecoveries& recoveries = *staging.world().recoveries;
    staging.later([&recoveries] {
        for (auto& [name, copy] : recoveries.copies()) copy.answers = false;
        recoveries.of_caches().stop();
    });
}
void no_snapshot_is_sound(Staging& staging) {
    SimulatedBackups& backups = *staging.world().backups;
    staging.later([&backups] { backups.damage_snapshots(); });
}

void schema_of_copies_is_earlier(Staging& staging) {
    SimulatedRecoveries& recoveries = *staging.world().recoveries;
    staging.later([&recoveries] { recoveries.schema_is_earlier = true; });
}

}  // namespace

std::span<const FaultPiece> faults_of_recoveries() {
    static constexpr std::array faults{
        FaultPiece{"the store of backups is silent", "75", store_of_backups_is_silent},
        FaultPiece{"the newest backups are damaged", "79", newest_backups_are_damaged},
        FaultPiece{"no snapshot of a cache is sound", "79", no_snapshot_is_sound},
        FaultPiece{"the archived log has a gap", "79", log_has_a_gap},
        FaultPiece{"work on backups and recoveries is killed", "1", side_work_dies},
        FaultPiece{"nobody knows who is excluded", "42", excluded_are_not_known},
        FaultPiece{"the server of a recovered copy ends", "2", copy_ends},
        FaultPiece{"recovered copies have an earlier schema", "69", schema_of_copies_is_earlier},
    };
    return faults;
}

}  // namespace kedge::sim
