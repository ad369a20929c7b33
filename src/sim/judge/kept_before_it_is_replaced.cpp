#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// What a cache held is kept before a recovered data set takes its place, all of it; what came in after that was done is
// told, but for what came between a look and its order.
class KeptBeforeItIsReplaced final : public Invariant {
    std::string_view name() const override { return "what is replaced is kept"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::cache_take_over || !effect.errand) return;
        const CacheModel& cache = *ledger.world().caches[effect.of];
        const CacheModel::Node& node = cache.at(effect.place);
        const CacheCopies::Copy* const copy = recovered_of(ledger.world(), cache);
        if (copy == nullptr || !copy->kept)
            return broken(ledger, fmt::format("what {} held was replaced, and nothing of it was kept", node.part.name));
        std::int64_t keys = 0;
        each_row_beyond(cache.log(), node.held, *copy->kept, [&](const Record& record) {
            if (ledger.now() - record.at > look_and_order) keys += record.count;
        });
        if (keys > 0)
            lost_[effect.errand->step] =
                fmt::format("{} keys of {} were replaced, not kept, and nobody was told", keys, node.part.name);
    }
    void end(const Ledger& ledger) override {
        for (const auto& [step, story] : lost_)
            if (get_integer(ledger.line(step).evidence, "written_after_it_was_kept_bytes").value_or(0) == 0)
                broken(ledger, story);
    }
    std::map<std::size_t, std::string> lost_;  // by the step that replaced it
};

}  // namespace

std::unique_ptr<Invariant> kept_before_it_is_replaced() {
    return std::make_unique<KeptBeforeItIsReplaced>();
}

}  // namespace kedge::sim
