#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// Keys of people who were erased, and those that must not come back, are on no node again.
class ExcludedStayOut final : public Invariant {
    std::string_view name() const override { return "the excluded stay out"; }
    void instant(const Ledger& ledger) override {
        for (const auto& cache : ledger.world().caches)
            for (const CacheModel::Node& node : cache->nodes()) {
                // They come with a whole data set, never by a write.
                BranchId& seen = seen_.try_emplace({cache->index(), node.part.place}, BranchId{0}).first->second;
                if (std::exchange(seen, node.held.branch) == node.held.branch) continue;
                if (const std::int64_t keys = cache->excluded_in(node.held); keys > 0)
                    broken(ledger, fmt::format("{} holds {} keys that must not come back", node.part.name, keys));
            }
    }
    std::map<std::pair<std::size_t, Place>, BranchId> seen_;
};

}  // namespace

std::unique_ptr<Invariant> excluded_stay_out() {
    return std::make_unique<ExcludedStayOut>();
}

}  // namespace kedge::sim
