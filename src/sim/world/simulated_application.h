// The application and the entrance of the simulated world, as plans reach them.
#pragma once

#include <map>
#include <set>

#include "sim/world/application_model.h"
#include "sim/world/entrance_model.h"
#include "targets/application.h"
#include "targets/traffic.h"

namespace kedge::sim {

// What a declared probe asks of the application, as far as the world can tell.
struct ProbeNeeds {
    bool writes = false, reads = false, sessions = false, health = false;
    bool always_fails = false;  // for tests
};

class SimulatedApplication final : public Application {
public:
    // `entrance` is where public probes go; null if there is none.
    SimulatedApplication(Ground& ground, ApplicationModel& model, EntranceModel* entrance,
                         std::map<std::string, ProbeNeeds> probes)
        : ground_(ground), model_(model), entrance_(entrance), probes_(std::move(probes)) {}

    Result<ApplicationLook> look(const std::string& region, Depth depth, Moment deadline) override;
    Result<void> set_writes(const std::string& region, Writes writes, Moment deadline) override;
    Result<void> scale(const std::string& region, int instances, Moment deadline) override;
    Result<void> deploy(const std::string& region, const std::string& release, Moment deadline) override;
    Result<ProbeLook> probe(const std::string& name, const std::string& region, const std::string& key,
                            Moment deadline) override;

private:
    Result<Place> find(const std::string& region) const;
    InstanceLook look_at(ApplicationModel::Instance& instance, Depth depth, Moment deadline);
    ProbeLook run_probe(const ProbeNeeds& needs, ApplicationModel::Instance& instance, Moment deadline);

    Ground& ground_;
    ApplicationModel& model_;
    EntranceModel* entrance_;
    std::map<std::string, ProbeNeeds> probes_;
};

class SimulatedTraffic final : public Traffic {
public:
    SimulatedTraffic(Ground& ground, EntranceModel& model) : ground_(ground), model_(model) {}

    Result<TrafficLook> look(Moment deadline) override;
    Result<void> shift(const std::map<std::string, int>& weights, Moment deadline) override;
    Result<void> cut_sessions(const std::string& region, Moment deadline) override;

private:
    Error unanswered(Passage passage) const;

    Ground& ground_;
    EntranceModel& model_;
};

}  // namespace kedge::sim
