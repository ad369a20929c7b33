#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// When a run has ended, nobody waits for writes that it held, unless a person answers for it.
class WritesAreReleased final : public Invariant {
    std::string_view name() const override { return "held writes are released"; }
    void effect(const Ledger&, const Effect& effect) override {
        if (effect.kind == EffectKind::set_writes && effect.errand) ours_.insert({effect.of, effect.place});
    }
    void judged(const Ledger&, const Verdict& verdict) override {
        if (verdict.accepted && verdict.verb == "take_over" && verdict.step) taken_over_.insert(*verdict.step);
    }
    void end(const Ledger& ledger) override {
        if (!ledger.ended_at()) return;
        for (const auto& [of, place] : ours_) {
            const ApplicationModel& application = *ledger.world().applications[of];
            const std::string_view region = ledger.world().ground.name_of(place);
            if (std::ranges::any_of(taken_over_, [&](std::size_t step) {
                    return ledger.bound(step).target == application.name() && ledger.bound(step).region == region;
                }))
                continue;
            for (const ApplicationModel::Instance& instance : application.sites()[place].instances)
                if (instance.writes != Writes::accepted)
                    broken(ledger,
                           fmt::format("the run has ended and {} still does not accept writes", instance.part.name));
        }
    }
    std::set<std::pair<std::size_t, Place>> ours_;
    std::set<std::size_t> taken_over_;  // steps for whose debt a person answers
};

}  // namespace

std::unique_ptr<Invariant> writes_are_released() {
    return std::make_unique<WritesAreReleased>();
}

}  // namespace kedge::sim
