#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// No promotion of ours adds a second server that takes writes, unless two people took that risk by name. A server
// that hangs takes writes again when it wakes, so it counts.
class OneWriter final : public Invariant {
    std::string_view name() const override { return "one writer"; }
    void instant(const Ledger& ledger) override {
        for (const auto& database : ledger.world().databases) {
            const std::vector<Place> writers = database->writers();
            const auto seen = before_.find(database->name());
            if (seen != before_.end() && seen->second.size() == 1 && writers.size() > 1)
                for (const Place place : writers)
                    if (place != seen->second.front()) judge_newcomer(ledger, *database, place, seen->second.front());
            before_[database->name()] = writers;
        }
    }
    void judge_newcomer(const Ledger& ledger, const DatabaseModel& database, Place place, Place other) {
        const bool ours = std::ranges::any_of(ledger.world().ground.effects(), [&](const Effect& effect) {
            return effect.kind == EffectKind::promote && effect.place == place && effect.errand &&
                   effect.of == database.index();
        });
        const std::string_view region = ledger.world().ground.name_of(other);
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const BoundStep& step = ledger.bound(i);
            const bool covers =
                step.type != nullptr && (step.type->name == "postgres.promote" ||
                                         (step.type->name == "postgres.fence" && step.region == region));
            if (covers && ledger.line(i).risk_taken) return;
        }
        // One that was restarted by somebody else became the second by no act of ours.
        if (ours && database.log().timeline(database.at(place).held) > database.log().timeline(database.at(other).held))
            broken(ledger, fmt::format("{} was promoted while {}@{} still takes writes: two servers accept writes",
                                       database.at(place).part.name, database.name(), region));
    }
    std::map<std::string, std::vector<Place>> before_;
};

}  // namespace

std::unique_ptr<Invariant> one_writer() {
    return std::make_unique<OneWriter>();
}

}  // namespace kedge::sim
