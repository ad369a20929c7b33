#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// When a run has ended, the Sentinels that it held watch as before, and no node of the group still copies a server
// beside it, unless a person answers for it.
class CacheIsPutBack final : public Invariant {
    std::string_view name() const override { return "the cache is put back"; }
    void effect(const Ledger&, const Effect& effect) override {
        if (effect.kind == EffectKind::sentinels_told && effect.errand) ours_.insert(effect.of);
    }
    void judged(const Ledger&, const Verdict& verdict) override {
        if (verdict.accepted && verdict.verb == "take_over" && verdict.step) taken_over_.insert(*verdict.step);
    }
    bool is_taken_over(const Ledger& ledger, std::string_view action) const {
        return std::ranges::any_of(taken_over_, [&](std::size_t step) {
            return ledger.bound(step).type != nullptr && ledger.bound(step).type->name == action;
        });
    }
    void end(const Ledger& ledger) override {
        if (!ledger.ended_at()) return;
        for (const std::size_t of : ours_) {
            const CacheModel& cache = *ledger.world().caches[of];
            for (const CacheModel::Sentinel& sentinel : cache.sentinels())
                if (sentinel.down_after != cache.pace().down_after && !is_taken_over(ledger, "redis.hold-sentinels"))
                    broken(ledger, fmt::format("the run has ended and the {} still waits {}", sentinel.part.name,
                                               kedge::to_string(sentinel.down_after)));
            for (const CacheModel::Node& node : cache.nodes())
                if (cache.copies_beside(node) && !is_taken_over(ledger, "redis.take-over"))
                    broken(ledger,
                           fmt::format("the run has ended and {} still copies a server beside it", node.part.name));
        }
    }
    std::set<std::size_t> ours_;
    std::set<std::size_t> taken_over_;  // steps for whose debt a person answers
};

}  // namespace

std::unique_ptr<Invariant> cache_is_put_back() {
    return std::make_unique<CacheIsPutBack>();
}

}  // namespace kedge::sim
