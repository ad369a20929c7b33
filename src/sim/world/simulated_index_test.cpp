// The simulated index keeps the contract that the real driver keeps.
#include "sim/world/simulated_index.h"

#include "targets/index_contract.h"

namespace kedge::sim {
namespace {

class SimulatedIndexWorld final : public IndexWorld {
public:
    Index& index() override { return index_; }
    Moment after(Span span) const override { return ground_.now() + span; }
    bool await(const std::function<bool()>& condition) override {
        // Longer than half a minute: its jobs take up to a minute, and no test waits for it.
        for (const Moment end = after(2min); !condition(); ground_.schedule().run_until(ground_.now() + 100ms))
            if (ground_.now() > end) return false;
        return true;
    }
    std::int64_t rows() const override { return model_.rows(); }
    void lose_entries() override { model_.lose_entries(100); }
    void remove_rows() override { model_.remove_rows(100); }
    void hold_job() override {}  // time passes only while one waits
    void let_job_go_on() override {}
    void kill_job() override { model_.kill_job(); }
    void lose_source() override {
        for (DatabaseModel::Server& server : database_.servers()) ground_.set_health(server.part, Health::dead);
    }

private:
    Ground ground_{{"east", "west"}, 1};
    DatabaseModel database_{ground_, "orders", 0};
    IndexModel model_{ground_, "orders-index", 0, &database_};
    SimulatedIndex index_{ground_, model_};
};

INSTANTIATE_TEST_SUITE_P(Simulated, IndexContract,
                         testing::Values([] { return std::make_unique<SimulatedIndexWorld>(); }));

}  // namespace
}  // namespace kedge::sim
