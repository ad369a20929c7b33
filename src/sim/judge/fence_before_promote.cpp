#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// In the same run, before the promotion: proof that every other server cannot write, or people who took the risk. And
// no fence of ours comes down on a server that could come up as a second primary.
class FenceBeforePromote final : public Invariant {
    std::string_view name() const override { return "fence before promote"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (!effect.errand) return;
        if (effect.kind == EffectKind::promote) judge_promotion(ledger, effect);
        if (effect.kind == EffectKind::lower_fence) judge_lowering(ledger, effect);
    }
    void judge_promotion(const Ledger& ledger, const Effect& effect) {
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        for (const DatabaseModel::Server& other : database.servers()) {
            const Place place = other.part.place;
            if (place == effect.place || (other.standby && other.part.health != Health::dead)) continue;
            const std::string_view region = ledger.world().ground.name_of(place);
            if (ledger.stands("postgres.fence", region) || ledger.stands("postgres.fenced", region)) continue;
            if (ledger.line(effect.errand->step).risk_taken) continue;
            broken(ledger, fmt::format("{} was promoted although no step had proved that {} cannot write",
                                       database.at(effect.place).part.name, other.part.name));
        }
    }
    void judge_lowering(const Ledger& ledger, const Effect& effect) {
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        if (database.at(effect.place).standby) return;
        for (const DatabaseModel::Server& other : database.servers())
            if (other.part.place != effect.place && (database.is_primary(other) || other.promoting))
                broken(ledger, fmt::format("the fence of {} was lowered while {} is primary",
                                           database.at(effect.place).part.name, other.part.name));
    }
};

}  // namespace

std::unique_ptr<Invariant> fence_before_promote() {
    return std::make_unique<FenceBeforePromote>();
}

}  // namespace kedge::sim
