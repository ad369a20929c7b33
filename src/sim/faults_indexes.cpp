// Indexes that are derived from a database: what goes wrong while one is built anew.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

IndexModel* index_of(const Staging& staging) {
    return staging.world().indexes.empty() ? nullptr : staging.world().indexes.front().get();
}

void job_dies(Staging& staging) {
    if (IndexModel* const index = index_of(staging)) staging.later([index] { index->kill_job(); });
}
void index_lacks_rows(Staging& staging) {
    IndexModel* const index = index_of(staging);
    if (index == nullptr) return;
    const std::int64_t count = index->rows() / 10;
    staging.later([index, count] { index->lose_entries(count); }, [index] { index->make_whole(); });
}
void index_hangs(Staging& staging) {
    IndexModel* const index = index_of(staging);
    if (index == nullptr) return;
    Ground& ground = staging.world().ground;
    staging.later([index, &ground] { ground.set_health(index->part, Health::frozen); },
                  [index, &ground] { ground.set_health(index->part, Health::up); });
}

}  // namespace

std::span<const FaultPiece> faults_of_indexes() {
    static constexpr std::array faults{
        FaultPiece{"the job that builds an index dies", "56", job_dies},
        FaultPiece{"an index lacks what its source holds", "54", index_lacks_rows},
        FaultPiece{"an index hangs for a while", "54", index_hangs},
    };
    return faults;
}

}  // namespace kedge::sim
