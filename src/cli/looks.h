// Looks at targets now, without changing anything: many side by side, all within one deadline.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actions/action.h"
#include "estate/estate.h"
#include "os/clock.h"
#include "plan/plan.h"

namespace kedge {

// What a look said, or why there was none: then everything about it is unknown.
using Looking = std::function<Look(Moment deadline)>;

// Runs all of them at once and returns their looks in the same order. Each gets the same deadline, `limit` from now.
std::vector<Look> look_at_all(const std::vector<Looking>& lookings, Span limit, const Clock& clock);

// What the step's action sees now, as if no step of the run had been done. Step and targets outlive it.
Looking looking_at_step(const BoundStep& step, const Estate& estate, const Targets& targets, const Clock& clock);

// One copy of a target as it is now: `done` = it serves as it should, `evidence` has its "role".
struct Sight {
    std::string target, region;  // region empty for a target without places
    Looking look;
};
// Every place of a target that can be looked at: databases, caches, applications, traffic. Targets outlive them.
std::vector<Sight> sights_of(const Target& target, const Targets& targets);

}  // namespace kedge
