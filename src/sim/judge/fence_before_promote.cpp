#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kedge::sim {
namespace {

// In the same run, before the promotion: proof that every other server cannot write, or people who took the risk. And
// no fence of ours comes down, or is said to have been taken back, beside a server that was seen to be primary.
class FenceBeforePromote final : public Invariant {
    std::string_view name() const override { return "fence before promote"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (!effect.errand) return;
        if (effect.kind == EffectKind::promote) judge_promotion(ledger, effect);
        if (effect.kind == EffectKind::lower_fence)
            judge_lowering(ledger, *ledger.world().databases[effect.of], effect.place, "lowered");
    }
    void moved(const Ledger& ledger, const Move& move) override {
        const BoundStep& step = ledger.bound(move.step);
        if (move.to != StepState::compensated || step.type == nullptr || step.type->name != "postgres.fence") return;
        for (const auto& database : ledger.world().databases)
            for (const DatabaseModel::Server& server : database->servers())
                if (database->name() == step.target && ledger.world().ground.name_of(server.part.place) == step.region)
                    judge_lowering(ledger, *database, server.part.place, "said to be taken back");
    }
    void judge_promotion(const Ledger& ledger, const Effect& effect) {
        ours_.insert({effect.of, effect.place});
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
    void judge_lowering(const Ledger& ledger, const DatabaseModel& database, Place place, std::string_view what) {
        if (database.at(place).standby) return;
        for (const DatabaseModel::Server& other : database.servers()) {
            if (other.part.place == place || !(database.is_primary(other) || other.promoting)) continue;
            if (!ours_.contains({database.index(), other.part.place}) && unseen(other, ledger.now())) continue;
            broken(ledger, fmt::format("the fence of {} was {} while {} is primary", database.at(place).part.name, what,
                                       other.part.name));
        }
    }
    static bool unseen(const DatabaseModel::Server& promoted, Moment now) {
        if (!promoted.looked_at) return false;
        if (promoted.promoting) return true;
        return promoted.opened_at > promoted.looked_at && now - *promoted.opened_at <= look_and_order;
    }
    std::set<std::pair<std::size_t, Place>> ours_;  // promoted by a step of this run
};

}  // namespace

std::unique_ptr<Invariant> fence_before_promote() {
    return std::make_unique<FenceBeforePromote>();
}

}  // namespace kedge::sim
