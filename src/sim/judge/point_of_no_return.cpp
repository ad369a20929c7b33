#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Past it nothing is taken back by itself, except what the plan names for a step that failed.
class PointOfNoReturn final : public Invariant {
    std::string_view name() const override { return "point of no return"; }
    void moved(const Ledger& ledger, const Move& move) override {
        if (move.cause != Cause::undo_begins || !ledger.past_no_return()) return;
        const std::string& id = ledger.bound(move.step).id;
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const std::vector<std::string>& named = ledger.bound(i).undo_on_failure;
            if (ledger.line(i).state == StepState::failed && std::ranges::find(named, id) != named.end()) return;
        }
        broken(ledger, fmt::format("step {} was taken back past the point of no return", id));
    }
};

}  // namespace

std::unique_ptr<Invariant> point_of_no_return() {
    return std::make_unique<PointOfNoReturn>();
}

}  // namespace kedge::sim
