#include "sim/judge/invariant.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Nobody agrees to something else than what was shown, nor to what they asked for themselves.
class ApprovalBinds final : public Invariant {
    std::string_view name() const override { return "approval binds"; }
    void judged(const Ledger& ledger, const Verdict& verdict) override {
        if (!verdict.accepted || !verdict.step) return;
        const bool agrees = verdict.verb == "approve" || verdict.verb == "waive";
        const std::string& id = ledger.bound(*verdict.step).id;
        if (agrees && verdict.who == ledger.requester())
            broken(ledger, fmt::format("{} agreed to step {} of a run that they had asked for", verdict.who, id));
        if ((agrees || verdict.verb == "confirm") && verdict.digest != ledger.line(*verdict.step).digest)
            broken(ledger, fmt::format("{} agreed to step {} having seen something else", verdict.who, id));
    }
};

}  // namespace

std::unique_ptr<Invariant> approval_binds() {
    return std::make_unique<ApprovalBinds>();
}

}  // namespace kedge::sim
