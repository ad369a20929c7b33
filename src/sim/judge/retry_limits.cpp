#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// No more attempts than the plan allows, unless a person asks for another round. One that its controller did not
// outlive is not counted.
class RetryLimits final : public Invariant {
    std::string_view name() const override { return "retry limits"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (!move.intent) return;
        const BoundStep& step = ledger.bound(move.step);
        if (ledger.line(move.step).intents_since_person >= step.attempts)
            broken(ledger, fmt::format("step {} was tried more than the {} times that the plan allows", step.id,
                                       step.attempts));
    }
};

}  // namespace

std::unique_ptr<Invariant> retry_limits() {
    return std::make_unique<RetryLimits>();
}

}  // namespace kedge::sim
