#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// A recovered data set leads only when it is there as a whole, and a run that says it succeeded has left all of it
// where the master is.
class SnapshotIsThere final : public Invariant {
    std::string_view name() const override { return "a restored snapshot is there"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::cache_lead || !effect.errand) return;
        led_.insert(effect.of);
        const CacheModel& cache = *ledger.world().caches[effect.of];
        judge(ledger, cache, cache.at(effect.place), "leads");
    }
    void instant(const Ledger& ledger) override {
        if (!ledger.succeeded() || std::exchange(judged_, true)) return;
        for (const std::size_t of : led_)
            for (const CacheModel::Node& node : ledger.world().caches[of]->nodes())
                if (node.master) judge(ledger, *ledger.world().caches[of], node, "is master, the run has succeeded,");
    }
    void judge(const Ledger& ledger, const CacheModel& cache, const CacheModel::Node& node, std::string_view how) {
        const CacheCopies::Copy* const copy = recovered_of(ledger.world(), cache);
        if (copy == nullptr) return broken(ledger, fmt::format("{} {} and nothing was restored", node.part.name, how));
        std::int64_t keys = 0;
        each_row_beyond(cache.log(), copy->holds, node.held, [&](const Record& record) { keys += record.count; });
        if (keys > 0)
            broken(ledger,
                   fmt::format("{} {} and lacks {} keys of {}", node.part.name, how, keys, copy->snapshot.name));
    }
    std::set<std::size_t> led_;
    bool judged_ = false;
};

}  // namespace

std::unique_ptr<Invariant> snapshot_is_there() {
    return std::make_unique<SnapshotIsThere>();
}

}  // namespace kedge::sim
