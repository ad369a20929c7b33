// The simulated Redis keeps the contract that the real driver keeps.
#include "sim/world/simulated_cache.h"

#include <algorithm>
#include <utility>

#include "targets/cache_contract.h"

namespace kedge::sim {
namespace {

class SimulatedCacheWorld final : public CacheWorld {
public:
    Cache& cache() override { return cache_; }
    Moment now() const override { return ground_.now(); }
    bool await(const std::function<bool()>& condition, Span limit) override {
        const Moment end = ground_.now() + limit;
        while (!condition()) {
            if (ground_.now() >= end) return false;
            ground_.schedule().run_until(ground_.now() + 20ms);
        }
        return true;
    }
    Span down_after() const override { return model_.pace().down_after; }

    void start_writing() override {
        writing_ = true;
        write();
    }
    std::int64_t acknowledged() const override { return acknowledged_; }
    Written stop_writing() override {
        writing_ = false;
        model_.settle();
        std::int64_t missing = 0;
        if (const auto point = model_.final_point())
            model_.log().each_missing(*point, [&](const Record& record) {
                if (record.kind == RecordKind::rows && record.acknowledged) missing += record.count;
            });
        return {acknowledged_, missing};
    }

    std::string listed_as(const std::string& sentinel) const override {
        return "sentinel of sessions " + sentinel.substr(std::string("sentinel-").size());
    }
    void kill(const std::string& name) override { ground_.set_health(part(name), Health::dead); }
    void freeze(const std::string& name) override { ground_.set_health(part(name), Health::frozen); }
    void thaw(const std::string& name) override { ground_.set_health(part(name), Health::up); }
    void restart(const std::string& name) override { ground_.set_health(part(name), Health::up); }
    std::string start_beside(std::int64_t keys) override {
        Log& log = model_.log();
        model_.recovered_at = "beside:6379";
        const BranchId branch = log.restore(model_.nothing(), Lsn{1}, ground_.now());
        const Lsn end =
            log.append(branch, RecordKind::rows, 1, keys, 60 * static_cast<std::uint64_t>(keys), ground_.now());
        model_.publish({branch, end}, keys);
        return model_.recovered_at;
    }
    void mislead(const std::string& sentinel, const std::string& region) override {
        for (CacheModel::Sentinel& one : model_.sentinels())
            if (&one.part == &part(sentinel)) one.master = *ground_.place_of(region);
    }

private:
    Part& part(const std::string& name) {
        if (const auto place = ground_.place_of(name)) return model_.at(*place).part;
        const std::string at = name.substr(std::string("sentinel-").size());
        return model_.sentinels()[ground_.place_of(at).value_or(ground_.outside())].part;
    }
    // One write each 10 ms, to whichever node takes it; one that nobody takes is tried again.
    void write() {
        if (!writing_) return;
        for (CacheModel::Node& node : model_.nodes())
            if (model_.accepts_writes(node)) {
                model_.write(node, RecordKind::rows, ++acknowledged_, 1, 60);
                model_.log().acknowledge(node.held.branch);
                break;
            }
        ground_.schedule().after(10ms, [this] { write(); });
    }

    Ground ground_{{"east", "west"}, 1};
    CacheModel model_{ground_, "sessions", 0, {0, 1, 2}, 2};
    SimulatedCache cache_{ground_, model_};
    std::int64_t acknowledged_ = 0;
    bool writing_ = false;
};

std::unique_ptr<CacheWorld> make_cache_world() {
    return std::make_unique<SimulatedCacheWorld>();
}

INSTANTIATE_TEST_SUITE_P(Simulated, CacheContract, testing::Values(&make_cache_world));

}  // namespace
}  // namespace kedge::sim
