#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// What production has and the copy has not was counted by this run, and people agreed after they could read it.
class SwapTellsItsLoss final : public Invariant {
    std::string_view name() const override { return "a swap tells its loss"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::swap_in && effect.kind != EffectKind::exchange) return;
        std::optional<std::size_t> compared, agreed;
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const BoundStep& step = ledger.bound(i);
            if (step.type == nullptr || ledger.line(i).state != StepState::succeeded) continue;
            if (step.type->name == "recovery.compare") compared = ledger.line(i).completed;
            if (step.gate && !ledger.line(i).agreed.empty())
                agreed = std::max(agreed.value_or(0), ledger.line(i).completed);
        }
        const std::string& server = ledger.world().databases[effect.of]->at(effect.place).part.name;
        if (!compared)
            broken(ledger, fmt::format("a recovered copy took the place of {}, and nobody had counted what that loses",
                                       server));
        else if (!agreed || *agreed < *compared)
            broken(ledger, fmt::format("a recovered copy took the place of {}, and nobody had agreed to what it loses",
                                       server));
    }
};

}  // namespace

std::unique_ptr<Invariant> swap_tells_its_loss() {
    return std::make_unique<SwapTellsItsLoss>();
}

}  // namespace kedge::sim
