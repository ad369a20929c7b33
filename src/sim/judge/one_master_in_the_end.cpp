#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// When a run that moved the cache has succeeded, one node is master and every Sentinel knows it.
class OneMasterInTheEnd final : public Invariant {
    std::string_view name() const override { return "one master in the end"; }
    void end(const Ledger& ledger) override {
        for (const auto& cache : ledger.world().caches) {
            std::int64_t masters = 0;
            for (const CacheModel::Node& node : cache->nodes())
                masters += node.master && node.part.health == Health::up;
            if (masters > 1)
                broken(ledger,
                       fmt::format("{} nodes of {} are master although everything is healed", masters, cache->name()));
        }
    }
};

}  // namespace

std::unique_ptr<Invariant> one_master_in_the_end() {
    return std::make_unique<OneMasterInTheEnd>();
}

}  // namespace kedge::sim
