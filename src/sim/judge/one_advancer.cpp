#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Whoever lost the run to another controller appends nothing any more.
class OneAdvancer final : public Invariant {
    std::string_view name() const override { return "one advancer"; }
    void instant(const Ledger& ledger) override {
        if (ledger.stale_epochs() > 0)
            broken(ledger, "a controller whose run another had taken over wrote to the journal");
    }
};

}  // namespace

std::unique_ptr<Invariant> one_advancer() {
    return std::make_unique<OneAdvancer>();
}

}  // namespace kedge::sim
