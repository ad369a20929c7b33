// The Redis group of the simulated world, as plans reach it. It answers as the `sentinel` driver does.
#pragma once

#include "sim/world/cache_model.h"
#include "targets/cache.h"

namespace kedge::sim {

class SimulatedCache final : public Cache {
public:
    SimulatedCache(Ground& ground, CacheModel& model) : ground_(ground), model_(model) {}

    Result<CacheLook> look(const std::string& region, Moment deadline) override;
    Result<std::vector<SentinelLook>> sentinels(Moment deadline) override;
    Result<void> pause_writes(const std::string& region, Span limit, Moment deadline) override;
    Result<void> resume_writes(const std::string& region, Moment deadline) override;
    Result<void> fail_over(const std::string& region, Moment deadline) override;
    Result<std::optional<Span>> since_heard(const std::string& region, Moment deadline) override;
    Result<void> follow(const std::string& region, const std::string& master, Moment deadline) override;
    Result<void> write_canary(const std::string& region, const std::string& key, Moment deadline) override;
    // In this world no server stands beside the group: nothing can be taken over from one.
    Result<CacheLook> look_beside(const std::string& address, Moment deadline) override;
    Result<void> take_over(const std::string& region, const std::string& address, Moment deadline) override;
    Result<void> lead(const std::string& region, Moment deadline) override;
    Result<void> set_down_after(const std::map<std::string, Span>& spans, Moment deadline) override;
    Result<void> persist(const std::string& region, Moment deadline) override;

private:
    using Node = CacheModel::Node;
    Result<Node*> find(const std::string& region);
    CacheLook look_at(const Node& node, Moment deadline);
    Result<CacheModel::Sentinel*> choose_sentinel(const std::vector<SentinelLook>& looks, Place region);

    Ground& ground_;
    CacheModel& model_;
};

}  // namespace kedge::sim
