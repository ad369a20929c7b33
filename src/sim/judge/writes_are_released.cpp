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
        if (verdict.accepted && verdict.verb == "take_over") taken_over_ = true;
    }
    void end(const Ledger& ledger) override {
        if (!ledger.ended_at() || taken_over_) return;
        for (const auto& [of, place] : ours_)
            for (const ApplicationModel::Instance& instance : ledger.world().applications[of]->sites()[place].instances)
                if (instance.writes != Writes::accepted)
                    broken(ledger,
                           fmt::format("the run has ended and {} still does not accept writes", instance.part.name));
    }
    std::set<std::pair<std::size_t, Place>> ours_;
    bool taken_over_ = false;
};

}  // namespace

std::unique_ptr<Invariant> writes_are_released() {
    return std::make_unique<WritesAreReleased>();
}

}  // namespace kedge::sim
