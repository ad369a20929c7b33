// What is wrong with a plan before anybody knows where it will run: actions that do not exist, parameters that do
// not fit, and orders of steps that are dangerous whatever the inputs are.
#pragma once

#include "document/mistake.h"
#include "plan/action_type.h"
#include "plan/plan.h"

namespace kedge {

// Adds every mistake. The rules that matter most, each for every combination of the inputs that conditions name:
//
//  - A step that promotes a database needs one before it that fences the other site or shuts it down cleanly.
//  - What a step owes is paid by a later step or an `always` step, or the plan says under `leaves` who pays it.
//  - Traffic is moved only after a row was written and read back on a database that was promoted, or after the
//    application was looked at where nothing is promoted.
//  - `always` steps open writes only where such a row was written.
void lint_plan(const Plan& plan, Catalogue catalogue, Mistakes& mistakes);

// "aragora-postgres@us-east-1": what stands before and after the last `@`.
struct Spot {
    std::string target, region;
    bool operator==(const Spot&) const = default;
};
Spot spot_of(const std::string& on);

}  // namespace kedge
