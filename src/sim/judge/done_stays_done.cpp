#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// A step that succeeded is never done again and never undone, except by an entry that takes it back.
class DoneStaysDone final : public Invariant {
    std::string_view name() const override { return "done stays done"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (move.from == StepState::succeeded && move.to != StepState::compensating)
            broken(ledger,
                   fmt::format("step {} had succeeded and became {}", ledger.bound(move.step).id, to_string(move.to)));
    }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (!effect.errand || effect.errand->undo) return;
        // An order that was on its way when its controller died may arrive later; its attempt says so.
        const StepLine& line = ledger.line(effect.errand->step);
        if (line.state == StepState::succeeded && !line.acted)
            broken(ledger, fmt::format("{} happened for step {}, which had nothing left to do", to_string(effect.kind),
                                       ledger.bound(effect.errand->step).id));
    }
};

}  // namespace

std::unique_ptr<Invariant> done_stays_done() {
    return std::make_unique<DoneStaysDone>();
}

}  // namespace kedge::sim
