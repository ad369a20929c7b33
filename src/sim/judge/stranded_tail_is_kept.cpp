#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Nothing is rewound or overwritten before what only it holds was exported in this run. Of a database that was swapped
// for a recovered copy, what was there before is kept and holds it, too.
class StrandedTailIsKept final : public Invariant {
    std::string_view name() const override { return "the stranded tail is kept"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind == EffectKind::export_stranded) exported_.insert({effect.of, effect.place});
        if (effect.kind == EffectKind::shut_down) exported_.erase({effect.of, effect.place});
        if (effect.kind != EffectKind::rejoin || !effect.errand) return;
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        const DatabaseModel::Server& server = database.at(effect.place);
        for (const DatabaseModel::Server& other : database.servers()) {
            if (!database.is_primary(other) || exported_.contains({effect.of, effect.place})) continue;
            const Lsn fork =
                std::max(database.log().fork_of(server.held, other.held.branch), kept_beside(ledger, database, server));
            std::int64_t rows = 0;
            database.log().each(server.held, [&](const Record& record) {
                if (record.end > fork && record.kind == RecordKind::rows) rows += record.count;
            });
            if (rows > 0)
                broken(ledger,
                       fmt::format("{} was made a standby again although {} rows that only it held were not exported",
                                   server.part.name, rows));
        }
    }
    // Up to where a replaced copy of production holds what `server` holds.
    static Lsn kept_beside(const Ledger& ledger, const DatabaseModel& database, const DatabaseModel::Server& server) {
        Lsn kept;
        for (const auto& [name, copy] : ledger.world().recoveries->copies())
            if (copy.database == &database && copy.replaced) {
                const Point there = *copy.replaced;
                kept = std::max(kept, database.log().leads_to(server.held, there.branch)
                                          ? std::min(server.held.position, there.position)
                                          : database.log().fork_of(server.held, there.branch));
            }
        return kept;
    }
    std::set<std::pair<std::size_t, Place>> exported_;
};

}  // namespace

std::unique_ptr<Invariant> stranded_tail_is_kept() {
    return std::make_unique<StrandedTailIsKept>();
}

}  // namespace kedge::sim
