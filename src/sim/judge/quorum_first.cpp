#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Nothing behind a gate begins without its approvals: enough people, with the role, none of them the requester.
class QuorumFirst final : public Invariant {
    std::string_view name() const override { return "quorum first"; }
    void moved(const Ledger& ledger, const Move& move) override {
        const BoundStep& step = ledger.bound(move.step);
        if (!step.gate || (!move.intent && move.to != StepState::succeeded)) return;
        if (move.to == StepState::succeeded && move.cause != Cause::confirmed) return;
        std::size_t good = 0;
        const auto& agreed = ledger.line(move.step).agreed;
        if (const auto approved = agreed.find("approve"); approved != agreed.end())
            for (const std::string& who : approved->second) good += counts(ledger, step, who);
        if (good < static_cast<std::size_t>(std::max(0, step.gate->approvals)))
            broken(ledger, fmt::format("step {} began with {} of the {} approvals that it needs", step.id, good,
                                       step.gate->approvals));
    }
    static bool counts(const Ledger& ledger, const BoundStep& step, const std::string& who) {
        const Person* person = ledger.estate().person(who);
        if (person == nullptr || who == ledger.requester()) return false;
        return step.gate->roles.empty() || std::ranges::any_of(step.gate->roles, [&](const std::string& role) {
                   return std::ranges::find(person->roles, role) != person->roles.end();
               });
    }
};

}  // namespace

std::unique_ptr<Invariant> quorum_first() {
    return std::make_unique<QuorumFirst>();
}

}  // namespace kedge::sim
