#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// No step of ours sends more users to a region whose database is fenced and whose application reaches no other.
class NoTrafficToTheFenced final : public Invariant {
    std::string_view name() const override { return "no traffic to the fenced"; }
    void instant(const Ledger& ledger) override {
        for (const auto& entrance : ledger.world().entrances)
            for (Place place = 0; place < entrance->shares().size(); ++place)
                before_[{entrance->index(), place}] = entrance->shares()[place].weight;
    }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind == EffectKind::shift && effect.errand && !effect.errand->undo &&
            effect.detail > before_[{effect.of, effect.place}]) {
            for (const auto& application : ledger.world().applications)
                if (application->writable_from(effect.place) != nullptr) return;
            for (const auto& database : ledger.world().databases)
                if (database->at(effect.place).fenced == Truth::yes)
                    broken(ledger, fmt::format("users were sent to {}, whose database {} is fenced",
                                               ledger.world().ground.name_of(effect.place), database->name()));
        }
    }
    std::map<std::pair<std::size_t, Place>, std::int64_t> before_;
};

}  // namespace

std::unique_ptr<Invariant> no_traffic_to_the_fenced() {
    return std::make_unique<NoTrafficToTheFenced>();
}

}  // namespace kedge::sim
