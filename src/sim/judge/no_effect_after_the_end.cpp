#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// After a run has ended nothing happens for it any more.
class NoEffectAfterTheEnd final : public Invariant {
    std::string_view name() const override { return "no effect after the end"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.errand && ledger.ended_at() && effect.at > *ledger.ended_at())
            broken(ledger, fmt::format("{} happened for step {} after the run had ended", to_string(effect.kind),
                                       ledger.bound(effect.errand->step).id));
    }
};

}  // namespace

std::unique_ptr<Invariant> no_effect_after_the_end() {
    return std::make_unique<NoEffectAfterTheEnd>();
}

}  // namespace kedge::sim
