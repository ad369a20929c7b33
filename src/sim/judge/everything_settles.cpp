#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// In a healed world the run ends, or it waits visibly for people.
class EverythingSettles final : public Invariant {
    std::string_view name() const override { return "everything settles"; }
    void end(const Ledger& ledger) override {
        if (ledger.ended_at()) return;
        if (ledger.phase() == RunPhase::holding && !ledger.phase_says().empty()) return;
        if (ledger.phase() == RunPhase::paused) return;
        for (std::size_t i = 0; i < ledger.size(); ++i)
            if (ledger.line(i).state == StepState::waiting) return;
        std::string open;
        for (std::size_t i = 0; i < ledger.size(); ++i)
            if (!is_settled(ledger.line(i).state) && ledger.line(i).state != StepState::pending)
                open += fmt::format(" {} ({})", ledger.bound(i).id, to_string(ledger.line(i).state));
        broken(ledger,
               fmt::format("the world is healed, and the run neither ends nor waits for anybody; open:{}", open));
    }
};

}  // namespace

std::unique_ptr<Invariant> everything_settles() {
    return std::make_unique<EverythingSettles>();
}

}  // namespace kedge::sim
