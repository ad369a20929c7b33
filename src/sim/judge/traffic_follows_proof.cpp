#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Users are sent to where this run promoted only after a row was written and read back there, after the promotion.
class TrafficFollowsProof final : public Invariant {
    std::string_view name() const override { return "traffic follows proof"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind == EffectKind::promote && effect.errand) promoted_[effect.place] = false;
        if (effect.kind == EffectKind::canary && effect.errand) {
            const DatabaseModel& database = *ledger.world().databases[effect.of];
            if (database.is_primary(database.at(effect.place))) promoted_[effect.place] = true;
        }
        if (effect.kind != EffectKind::shift || !effect.errand || effect.errand->undo) return;
        const auto proved = promoted_.find(effect.place);
        if (effect.detail > 0 && proved != promoted_.end() && !proved->second)
            broken(ledger,
                   fmt::format("users were sent to {} before its new primary had taken a write and given it back",
                               ledger.world().ground.name_of(effect.place)));
    }
    std::map<Place, bool> promoted_;  // whether it gave a canary back
};

}  // namespace

std::unique_ptr<Invariant> traffic_follows_proof() {
    return std::make_unique<TrafficFollowsProof>();
}

}  // namespace kedge::sim
