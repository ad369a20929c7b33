// The parameters of a step, from what stands in the plan to what its action reads.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "estate/estate.h"
#include "plan/action_type.h"

namespace kedge {

// `written` (texts, lists of texts) as `type` demands: integers, numbers and flags as such, a list for texts,
// everything else a text. invalid_input, without naming the parameter, for anything that is no such thing. Regions
// and targets are looked up if there is an estate.
Result<Json> typed(const Json& written, ParameterType type, const Estate* estate);

}  // namespace kedge
