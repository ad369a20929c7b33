// Reads a plan file (docs/formats/plan.md): every mistake that the file alone shows, with its place.
#pragma once

#include <string>
#include <string_view>

#include "document/mistake.h"
#include "document/shape.h"
#include "plan/plan.h"

namespace kedge {

// `path` is only what messages call the file. Pure.
Parsed<Plan> parse_plan(const std::string& path, std::string_view text);

// The form of the whole file: for the schema, the documentation and editors.
Shape plan_shape();

}  // namespace kedge
