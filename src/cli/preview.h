// A plan bound to its inputs as it would run: what each step would do, and what it sees now.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "plan/look.h"
#include "plan/plan.h"

namespace kedge {

// How much a step means.
enum class Weight { reads, changes, irreversible, people };
Weight weight_of(const BoundStep& step);

// Whether the look at a step says something about tonight.
enum class Standing {
    now,    // nothing that acts comes before it: what is seen now decides
    later,  // its condition is made by steps before it: a "no" now is expected
};
std::vector<Standing> standings(const BoundPlan& plan);

// The verdict on one step from a look now: yes, no, unknown.
Truth verdict(const BoundStep& step, Standing standing, const Look& look);

}  // namespace kedge
