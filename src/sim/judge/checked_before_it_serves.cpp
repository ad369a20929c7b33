#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// What was built anew answers nobody before somebody has held it against its source.
class CheckedBeforeItServes final : public Invariant {
    std::string_view name() const override { return "an index is checked before it serves"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::serve_index || !effect.errand || effect.errand->undo) return;
        if (!ledger.stands("index.check"))
            broken(ledger,
                   fmt::format("{} serves again and nobody has checked it", ledger.world().indexes[effect.of]->name()));
    }
};

}  // namespace

std::unique_ptr<Invariant> checked_before_it_serves() {
    return std::make_unique<CheckedBeforeItServes>();
}

}  // namespace kedge::sim
