// schema.sql, built into the program.
#pragma once

#include <string_view>

namespace kedge::lab {

extern const std::string_view schema_text;

}  // namespace kedge::lab
