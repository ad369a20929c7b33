#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// What this run stopped in order, it replaces only by a copy that holds everything up to its end.
class FailbackNeedsCatchUp final : public Invariant {
    std::string_view name() const override { return "a planned switch loses nothing"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind == EffectKind::shut_down && effect.errand) stopped_[effect.of] = effect.place;
        if (effect.kind != EffectKind::promote || !effect.errand) return;
        const auto stopped = stopped_.find(effect.of);
        if (stopped == stopped_.end() || stopped->second == effect.place) return;
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        std::int64_t rows = 0;
        each_row_lacking(database, database.at(effect.place), database.at(stopped->second),
                         [&](const Record& record) { rows += record.count; });
        if (rows > 0)
            broken(ledger,
                   fmt::format("{} was promoted although it lacks {} rows that {} had acknowledged before it was "
                               "stopped in order",
                               database.at(effect.place).part.name, rows, database.at(stopped->second).part.name));
    }
    std::map<std::size_t, Place> stopped_;
};

}  // namespace

std::unique_ptr<Invariant> failback_needs_catch_up() {
    return std::make_unique<FailbackNeedsCatchUp>();
}

}  // namespace kedge::sim
