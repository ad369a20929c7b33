#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// What a migration drops can be brought back: the position before it has a name, while nobody writes. One that goes up
// drops nothing.
class RestorePointFirst final : public Invariant {
    std::string_view name() const override { return "a restore point first"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::migrate || !effect.errand || effect.errand->undo) return;
        const auto* const type = ledger.bound(effect.errand->step).type;
        if (type != nullptr && type->name == "migration.up") return;
        if (!ledger.stands("postgres.restore-point"))
            broken(ledger, fmt::format("the schema was moved to version {} and no restore point stands before it",
                                       effect.detail));
    }
};

}  // namespace

std::unique_ptr<Invariant> restore_point_first() {
    return std::make_unique<RestorePointFirst>();
}

}  // namespace kedge::sim
