// A shape as JSON Schema (draft 7), for editors that complete and underline while one types.
#pragma once

#include <string>

#include "base/json.h"
#include "document/shape.h"

namespace kedge {

Json json_schema(const Shape& shape, const std::string& title);

}  // namespace kedge
