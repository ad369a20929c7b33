#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// When a run has ended, what it put into degraded mode serves again, unless a person answers for it.
class DegradedModeEnds final : public Invariant {
    std::string_view name() const override { return "degraded mode ends"; }
    void effect(const Ledger&, const Effect& effect) override {
        if (effect.kind == EffectKind::degrade_index && effect.errand) ours_.insert(effect.of);
    }
    void judged(const Ledger&, const Verdict& verdict) override {
        if (verdict.accepted && verdict.verb == "take_over") taken_over_ = true;
    }
    void end(const Ledger& ledger) override {
        if (!ledger.ended_at() || taken_over_) return;
        for (const std::size_t of : ours_)
            if (const IndexModel& index = *ledger.world().indexes[of]; index.mode != IndexMode::serving)
                broken(ledger, fmt::format("the run has ended and {} is still in degraded mode", index.name()));
    }
    std::set<std::size_t> ours_;
    bool taken_over_ = false;
};

}  // namespace

std::unique_ptr<Invariant> degraded_mode_ends() {
    return std::make_unique<DegradedModeEnds>();
}

}  // namespace kedge::sim
