#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// A promotion needs a judgement of this run about what it loses: a bound, a catch-up (its own, too), or people who
// took it.
class NoBlindPromotion final : public Invariant {
    std::string_view name() const override { return "no blind promotion"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::promote || !effect.errand) return;
        const std::string_view region = ledger.world().ground.name_of(effect.place);
        for (const char* judge : {"postgres.loss-bound", "postgres.caught-up", "postgres.lag"})
            if (ledger.stands(judge, region)) return;
        if (ledger.waits_for_the_end(effect.errand->step)) return;
        broken(ledger, fmt::format("{} was promoted although nothing in this run had found what that loses",
                                   ledger.world().databases[effect.of]->at(effect.place).part.name));
    }
};

}  // namespace

std::unique_ptr<Invariant> no_blind_promotion() {
    return std::make_unique<NoBlindPromotion>();
}

}  // namespace kedge::sim
