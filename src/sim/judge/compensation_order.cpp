#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// What is taken back is taken back newest first.
class CompensationOrder final : public Invariant {
    std::string_view name() const override { return "compensation order"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (move.cause != Cause::undo_begins || ledger.phase() != RunPhase::compensating) return;
        const StepLine& line = ledger.line(move.step);
        if (!line.acted && line.intents == 0)
            broken(ledger, fmt::format("step {} was taken back although it never began", ledger.bound(move.step).id));
        if (move.from != StepState::succeeded) return;
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const BoundStep& other = ledger.bound(i);
            const StepLine& newer = ledger.line(i);
            const bool can = other.type != nullptr && !other.type->undo.empty() && !other.always && newer.acted;
            if (can && newer.state == StepState::succeeded && newer.completed > line.completed)
                broken(ledger, fmt::format("step {} was taken back before {}, which came after it",
                                           ledger.bound(move.step).id, other.id));
        }
    }
};

}  // namespace

std::unique_ptr<Invariant> compensation_order() {
    return std::make_unique<CompensationOrder>();
}

}  // namespace kedge::sim
