#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Each effect that the world sees was announced in the journal before: same step, same attempt, same controller.
class IntentFirst final : public Invariant {
    std::string_view name() const override { return "intent first"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (!effect.errand) return;
        const Errand& errand = *effect.errand;
        // A rejoin goes on by itself; what it does at its end belongs to the rejoin.
        const StepLine& line = ledger.line(errand.step);
        const bool announced =
            errand.undo ? line.undo_epoch && *line.undo_epoch <= errand.epoch
                        : line.intents >= errand.attempt && errand.attempt > 0 && line.intent_epoch >= errand.epoch;
        if (!announced)
            broken(ledger, fmt::format("{} happened for step {} although the journal did not say so before",
                                       to_string(effect.kind), ledger.bound(errand.step).id));
    }
};

}  // namespace

std::unique_ptr<Invariant> intent_first() {
    return std::make_unique<IntentFirst>();
}

}  // namespace kedge::sim
