#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// What was recovered takes production's place only while nothing of that database can write, but for what somebody
// promoted by hand in that very moment: nothing starts then, for the run sees it before the fence comes down.
class SwapIsFenced final : public Invariant {
    std::string_view name() const override { return "the swap is fenced"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::swap_in) return;
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        if (database.at(effect.place).fenced != Truth::yes)
            broken(ledger, fmt::format("a recovered copy took the place of {}, whose fence was not up",
                                       database.at(effect.place).part.name));
        for (const DatabaseModel::Server& server : database.servers())
            if (database.accepts_writes(server) &&
                !(server.opened_at && ledger.now() - *server.opened_at <= look_and_order))
                broken(ledger, fmt::format("a recovered copy was swapped in while {} took writes", server.part.name));
    }
};

}  // namespace

std::unique_ptr<Invariant> swap_is_fenced() {
    return std::make_unique<SwapIsFenced>();
}

}  // namespace kedge::sim
