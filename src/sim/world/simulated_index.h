// The index of the simulated world, as plans reach it.
#pragma once

#include "sim/world/index_model.h"

namespace kedge::sim {

// As programs that ask the index, and connect to whichever server of its source takes writes.
class SimulatedIndex final : public Index {
public:
    SimulatedIndex(Ground& ground, IndexModel& model) : ground_(ground), model_(model) {}

    Result<IndexLook> look(Moment deadline) override;
    Result<void> set_mode(IndexMode mode, Moment deadline) override;
    Result<void> rebuild(const std::string& job, Moment deadline) override;
    Result<IndexSample> sample(std::int64_t size, Moment deadline) override;

private:
    Ground& ground_;
    IndexModel& model_;
};

}  // namespace kedge::sim
