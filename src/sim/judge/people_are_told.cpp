#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// What the run says it told people, they were told; the same notice is delivered under one key.
class PeopleAreTold final : public Invariant {
    std::string_view name() const override { return "people are told"; }
    void end(const Ledger& ledger) override {
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const BoundStep& step = ledger.bound(i);
            if (step.type == nullptr || step.type->name != "channel.announce") continue;
            if (ledger.line(i).state != StepState::succeeded || !ledger.line(i).acted) continue;
            const bool told = std::ranges::any_of(ledger.world().channels, [&](const SimulatedChannel* channel) {
                return channel->accepts_and_loses || std::ranges::any_of(channel->deliveries(), [&](const auto& one) {
                           return one.first.ends_with("/" + step.id);
                       });
            });
            if (!told) broken(ledger, fmt::format("step {} succeeded, and nobody was told", step.id));
        }
    }
};

}  // namespace

std::unique_ptr<Invariant> people_are_told() {
    return std::make_unique<PeopleAreTold>();
}

}  // namespace kedge::sim
