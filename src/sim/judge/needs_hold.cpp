#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// A step begins only when everything that it needs is done, or left out by a rule or a person.
class NeedsHold final : public Invariant {
    std::string_view name() const override { return "needs hold"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (!move.intent) return;
        for (const std::string& need : ledger.bound(move.step).needs)
            for (std::size_t i = 0; i < ledger.size(); ++i) {
                if (ledger.bound(i).id != need || is_done(ledger.line(i).state)) continue;
                const bool ignored =
                    ledger.line(i).state == StepState::failed && ledger.bound(i).if_failed != IfFailed::stop;
                if (!ignored)
                    broken(ledger, fmt::format("step {} began although {}, which it needs, is {}",
                                               ledger.bound(move.step).id, need, to_string(ledger.line(i).state)));
            }
    }
};

}  // namespace

std::unique_ptr<Invariant> needs_hold() {
    return std::make_unique<NeedsHold>();
}

}  // namespace kedge::sim
