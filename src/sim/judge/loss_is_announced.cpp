#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// What a promotion loses in truth is no more than what the run said before it, unless people took the risk.
class LossIsAnnounced final : public Invariant {
    std::string_view name() const override { return "loss is announced"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::promote || !effect.errand) return;
        const std::string_view region = ledger.world().ground.name_of(effect.place);
        for (std::size_t i = 0; i < ledger.size(); ++i) {
            const BoundStep& step = ledger.bound(i);
            const bool judges = step.type != nullptr && step.region == region &&
                                (step.type->name == "postgres.loss-bound" || step.type->name == "postgres.caught-up");
            if (!judges || ledger.line(i).state != StepState::succeeded || ledger.line(i).risk_taken) continue;
            compare(ledger, effect, get_number(ledger.line(i).evidence, "loss_seconds_max").value_or(0));
        }
        if (ledger.waits_for_the_end(effect.errand->step)) compare(ledger, effect, 0);
    }
    void compare(const Ledger& ledger, const Effect& effect, double said) {
        const DatabaseModel& database = *ledger.world().databases[effect.of];
        std::optional<Moment> oldest, newest;
        std::int64_t rows = 0;
        for (const DatabaseModel::Server& old : database.servers()) {
            if (old.standby || old.part.place == effect.place) continue;
            each_row_lacking(database, database.at(effect.place), old, [&](const Record& record) {
                rows += record.count;
                oldest = std::min(oldest.value_or(record.at), record.at);
                newest = std::max(newest.value_or(record.at), record.at);
            });
        }
        if (!oldest) return;
        const double lost = seconds(*newest - *oldest);
        if (lost > said || (said == 0 && rows > 0))
            broken(ledger,
                   fmt::format("the run said that at most {:.1f} s of acknowledged writes would be lost; {} rows of "
                               "{:.1f} s are",
                               said, rows, lost));
    }
};

}  // namespace

std::unique_ptr<Invariant> loss_is_announced() {
    return std::make_unique<LossIsAnnounced>();
}

}  // namespace kedge::sim
