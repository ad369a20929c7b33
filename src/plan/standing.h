// What a look at a step says about a run before it is begun: for `kedge check` and for rehearsals.
#pragma once

#include <vector>

#include "plan/look.h"
#include "plan/plan.h"

namespace kedge {

// Whether the look at a step says something about tonight.
enum class Standing {
    now,    // nothing that acts comes before it: what is seen now decides
    later,  // its condition is made by steps before it: a "no" now is expected
};
// Of every step, in the order of the plan.
std::vector<Standing> standings(const BoundPlan& plan);

// The verdict on one step from a look now: yes, no, unknown.
Truth verdict(const BoundStep& step, Standing standing, const Look& look);

}  // namespace kedge
