// Binds a plan to an estate and inputs: afterwards nothing in it is left to be looked up.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "document/mistake.h"
#include "estate/estate.h"
#include "plan/plan.h"

namespace kedge {

// Every mistake of plan, inputs and estate together at once; mistakes of an input have no place. Includes
// `lint_plan`. The bound plan points into `catalogue`, which must outlive it. Pure.
Parsed<BoundPlan> bind_plan(const Plan& plan, const std::map<std::string, std::string>& inputs, const Estate& estate,
                            Catalogue catalogue);

// Targets that the plan changes and that the estate has not armed: it can be rehearsed, not run.
std::vector<std::string> unarmed_targets(const BoundPlan& plan, const Estate& estate);

}  // namespace kedge
