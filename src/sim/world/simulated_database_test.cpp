// The simulated database keeps the contract that the real drivers keep.
#include "sim/world/simulated_database.h"

#include "targets/unmanaged_database_contract.h"

namespace kedge::sim {
namespace {

class SimulatedDatabaseWorld final : public DatabaseWorld {
public:
    Database& database() override { return database_; }
    Moment now() override { return ground_.now(); }
    bool await(const std::function<bool()>& holds) override {
        const Moment end = ground_.now() + 30s;
        while (!holds()) {
            if (ground_.now() >= end) return false;
            ground_.schedule().run_until(ground_.now() + 20ms);
        }
        return true;
    }
    std::string scratch_directory() override { return "/nowhere"; }

    void kill(const std::string& region) override { model_.kill(server(region)); }
    void freeze(const std::string& region) override { ground_.set_health(server(region).part, Health::frozen); }
    void thaw(const std::string& region) override { ground_.set_health(server(region).part, Health::up); }
    void pause_replay(const std::string& region) override { server(region).replay_paused = true; }
    void stop_receiving(const std::string& region) override {
        server(region).receiver_off = true;
        ground_.changed();
    }
    void insert_orders(const std::string& region, int count) override {
        model_.write(server(region), RecordKind::rows, next_, count, 100);
        next_ += count;
    }
    std::int64_t count_orders(const std::string& region) override {
        model_.settle();
        const DatabaseModel::Server& one = server(region);
        if (one.part.health != Health::up) return -1;
        std::int64_t rows = 0;
        model_.log().each({one.held.branch, one.standby ? one.applied : one.held.position}, [&](const Record& record) {
            if (record.kind == RecordKind::rows) rows += record.count;
        });
        return rows;
    }
    void set_fence(const std::string& region, Truth up) override { server(region).fenced = up; }
    void drop_database() override { model_.gone = true; }
    void put_under_manager(const std::string& region) override { server(region).manager = "patroni"; }

private:
    DatabaseModel::Server& server(const std::string& region) { return model_.at(*ground_.place_of(region)); }

    Ground ground_{{"east", "west"}, 1};
    DatabaseModel model_{ground_, "orders", 0};
    SimulatedDatabase database_{ground_, model_};
    std::int64_t next_ = 1;
};

std::unique_ptr<DatabaseWorld> make_database_world() {
    return std::make_unique<SimulatedDatabaseWorld>();
}

INSTANTIATE_TEST_SUITE_P(Simulated, DatabaseContract, testing::Values(make_database_world));
INSTANTIATE_TEST_SUITE_P(Simulated, UnmanagedDatabaseContract, testing::Values(make_database_world));

}  // namespace
}  // namespace kedge::sim
