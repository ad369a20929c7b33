// The schema of the simulated world, as plans reach it.
#pragma once

#include "sim/world/schema_model.h"

namespace kedge::sim {

// As programs that connect to whichever server takes writes.
class SimulatedMigration final : public Migration {
public:
    SimulatedMigration(Ground& ground, SchemaModel& model) : ground_(ground), model_(model) {}

    Result<MigrationLook> look(Moment deadline) override;
    Result<void> migrate(std::int64_t version, Span lock_timeout, Moment deadline) override;
    const ReleaseRanges& releases() const override { return model_.releases(); }

private:
    Ground& ground_;
    SchemaModel& model_;
};

}  // namespace kedge::sim
