#include "plan/standing.h"

#include <algorithm>

namespace kedge {

std::vector<Standing> standings(const BoundPlan& plan) {
    std::vector<Standing> all(plan.steps.size(), Standing::now);
    // Steps may need others that stand below them in the file: repeat until nothing moves.
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t i = 0; i < plan.steps.size(); ++i) {
            const BoundStep& step = plan.steps[i];
            if (all[i] == Standing::later) continue;
            const bool follows = step.always || std::ranges::any_of(step.needs, [&](const std::string& need) {
                                     const auto before = std::ranges::find(plan.steps, need, &BoundStep::id);
                                     const auto index = static_cast<std::size_t>(before - plan.steps.begin());
                                     const bool acts = before->kind == StepKind::act && before->skipped_because.empty();
                                     return acts || all[index] == Standing::later;
                                 });
            if (follows) {
                all[i] = Standing::later;
                moved = true;
            }
        }
    }
    return all;
}

Truth verdict(const BoundStep& step, Standing standing, const Look& look) {
    if (step.kind == StepKind::person || !step.skipped_because.empty()) return Truth::yes;
    if (step.kind == StepKind::check) {
        // A moment that is only waited for if it comes stops nobody either.
        const bool stops_nobody = standing == Standing::later || step.if_failed == IfFailed::ignore;
        if (stops_nobody && look.done == Truth::no) return Truth::yes;
        return look.done;
    }
    if (look.done == Truth::yes || look.allowed == Truth::yes) return Truth::yes;
    // It was seen, and may not be done yet: what comes before it in the plan is to change that.
    if (standing == Standing::later && (look.allowed == Truth::no || look.done == Truth::no)) return Truth::yes;
    return look.allowed;
}

}  // namespace kedge
