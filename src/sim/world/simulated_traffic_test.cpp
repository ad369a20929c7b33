// The simulated entrance keeps the contract that the real driver keeps.
#include "sim/world/simulated_application.h"
#include "targets/traffic_contract.h"

namespace kedge::sim {
namespace {

class SimulatedTrafficWorld final : public TrafficWorld {
public:
    Traffic& traffic() override { return traffic_; }
    Moment now() const override { return ground_.now(); }
    bool await(const std::function<bool()>& holds) override {
        const Moment end = ground_.now() + 30s;
        while (!holds()) {
            if (ground_.now() >= end) return false;
            ground_.schedule().run_until(ground_.now() + 20ms);
        }
        return true;
    }
    std::string request() override {
        const auto place = entrance_.route();
        const bool served = place && application_.serving(*place, ground_.outside()) != nullptr;
        return served ? std::string(ground_.name_of(*place)) : "";
    }
    void stay_connected() override {
        if (const auto place = entrance_.route()) ++entrance_.shares()[*place].sessions;
    }
    void lose(const std::string& region) override { set_health(region, Health::dead); }
    void bring_back(const std::string& region) override { set_health(region, Health::up); }
    void freeze() override { ground_.set_health(entrance_.part(), Health::frozen); }
    void thaw() override { ground_.set_health(entrance_.part(), Health::up); }

private:
    void set_health(const std::string& region, Health health) {
        for (ApplicationModel::Instance& instance : application_.sites()[*ground_.place_of(region)].instances)
            ground_.set_health(instance.part, health);
    }

    Ground ground_{{"east", "west"}, 1};
    ApplicationModel application_{
        ground_, "shop", 0, nullptr, nullptr, nullptr, {{"east-a", "east-b"}, {"west-a", "west-b"}}};
    EntranceModel entrance_{ground_, "entrance", 0, &application_};
    SimulatedTraffic traffic_{ground_, entrance_};
};

std::unique_ptr<TrafficWorld> make_traffic_world() {
    return std::make_unique<SimulatedTrafficWorld>();
}

INSTANTIATE_TEST_SUITE_P(Simulated, TrafficContract, testing::Values(&make_traffic_world));

}  // namespace
}  // namespace kedge::sim
