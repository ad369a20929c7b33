// The simulated schema keeps the contract that the real driver keeps.
#include "sim/world/simulated_migration.h"

#include "targets/migration_contract.h"

namespace kedge::sim {
namespace {

class SimulatedMigrationWorld final : public MigrationWorld {
public:
    Migration& migration() override { return migration_; }
    Moment after(Span span) const override { return ground_.now() + span; }
    void lock() override { model_.locked_until = ground_.now() + 1h; }
    void unlock() override { model_.locked_until = {}; }
    void damage() override { model_.sound = false; }
    void lose() override {
        for (DatabaseModel::Server& server : database_.servers()) ground_.set_health(server.part, Health::dead);
    }

private:
    Ground ground_{{"east", "west"}, 1};
    DatabaseModel database_{ground_, "orders", 0};
    SchemaModel model_{"orders-schema", 0, &database_, {{"1.0", {1, 2}}, {"1.1", {2, 3}}, {"1.2", {3, 3}}}};
    SimulatedMigration migration_{ground_, model_};
};

INSTANTIATE_TEST_SUITE_P(Simulated, MigrationContract,
                         testing::Values([] { return std::make_unique<SimulatedMigrationWorld>(); }));

TEST(SchemaModel, BeginsWithTheNewestVersionAndTheReleaseThatLivesWithMost) {
    const SchemaModel model("schema", 0, nullptr, {{"1.0", {1, 2}}, {"1.1", {2, 3}}, {"1.2", {3, 3}}});
    EXPECT_EQ(model.version, 3);
    EXPECT_EQ(model.runs_at_first(), "1.1");
}

}  // namespace
}  // namespace kedge::sim
