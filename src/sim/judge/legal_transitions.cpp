#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Every move of a step is one of the table (engine/step_state.h).
class LegalTransitions final : public Invariant {
    std::string_view name() const override { return "legal transitions only"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (find_transition(move.from, move.to, move.cause) == nullptr)
            broken(ledger, fmt::format("step {} went from {} to {} because of \"{}\", which is no legal move",
                                       ledger.bound(move.step).id, to_string(move.from), to_string(move.to),
                                       to_string(move.cause)));
    }
};

}  // namespace

std::unique_ptr<Invariant> legal_transitions() {
    return std::make_unique<LegalTransitions>();
}

}  // namespace kedge::sim
