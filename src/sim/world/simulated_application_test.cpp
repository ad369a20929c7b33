// The simulated application keeps the contract that the real driver keeps.
#include "sim/world/simulated_application.h"

#include "targets/application_contract.h"

namespace kedge::sim {
namespace {

class SimulatedApplicationWorld final : public ApplicationWorld {
public:
    Application& application() override { return application_; }
    std::string region() const override { return "east"; }
    Moment after(Span span) const override { return ground_.now() + span; }
    std::string sound_probe() const override { return "health"; }
    std::string failing_probe() const override { return "broken"; }
    void lose_one() override { ground_.set_health(model_.sites()[0].instances[1].part, Health::dead); }
    std::optional<std::string> other_release() const override { return "1.0"; }
    void silence_one() override { ground_.set_health(model_.sites()[0].instances[1].part, Health::frozen); }

private:
    Ground ground_{{"east", "west"}, 1};
    DatabaseModel database_{ground_, "orders", 0};
    SchemaModel schema_{"schema", 0, &database_, {{"1.0", {2, 2}}, {"1.1", {1, 2}}}};
    ApplicationModel model_{ground_, "shop", 0, &database_, nullptr, &schema_, {{"east-a", "east-b"}, {}}};
    SimulatedApplication application_{
        ground_, model_, nullptr, {{"health", {.health = true}}, {"broken", {.always_fails = true}}}};
};

INSTANTIATE_TEST_SUITE_P(Simulated, ApplicationContract,
                         testing::Values([] { return std::make_unique<SimulatedApplicationWorld>(); }));

}  // namespace
}  // namespace kedge::sim
