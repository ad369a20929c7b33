#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// A rehearsal changes nothing.
class RehearsalIsDry final : public Invariant {
    std::string_view name() const override { return "a rehearsal is dry"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.errand && ledger.mode() == "rehearse")
            broken(ledger, fmt::format("{} happened for step {} of a rehearsal", to_string(effect.kind),
                                       ledger.bound(effect.errand->step).id));
    }
};

}  // namespace

std::unique_ptr<Invariant> rehearsal_is_dry() {
    return std::make_unique<RehearsalIsDry>();
}

}  // namespace kedge::sim
