// Releases and the schema: what goes wrong when one goes back to what was.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

// All but the one that runs: whatever is deployed starts and is never healthy.
void release_is_unhealthy(Staging& staging) {
    if (staging.world().schemas.empty()) return;
    SchemaModel& schema = *staging.world().schemas.front();
    staging.later([&schema] {
        for (const auto& [release, range] : schema.releases())
            if (release != schema.runs_at_first()) schema.faulty.insert(release);
    });
}
void lock_is_held(Staging& staging) {
    if (staging.world().schemas.empty()) return;
    SchemaModel& schema = *staging.world().schemas.front();
    Ground& ground = staging.world().ground;
    const Span held = staging.random.between(500ms, 60s);
    staging.later([&schema, &ground, held] { schema.locked_until = ground.now() + held; });
}
void migration_is_not_what_it_says(Staging& staging) {
    if (staging.world().schemas.empty()) return;
    SchemaModel& schema = *staging.world().schemas.front();
    staging.later([&schema] { schema.sound = false; }, [&schema] { schema.sound = true; });
}

}  // namespace

std::span<const FaultPiece> faults_of_releases() {
    static constexpr std::array faults{
        FaultPiece{"an older release is not healthy", "57", release_is_unhealthy},
        FaultPiece{"a lock is held on a table", "66", lock_is_held},
        FaultPiece{"the schema is not what its version says", "69", migration_is_not_what_it_says},
    };
    return faults;
}

}  // namespace kedge::sim
