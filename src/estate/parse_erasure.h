// The part of parse.cpp that is about the erasure map.
#pragma once

#include <string>

#include "base/json.h"
#include "document/read.h"
#include "estate/erasure_map.h"

namespace kedge {

// `written`: the section, or null.
ErasureMap read_erasure_map(const Json& written, const Places& places);
// What its shape cannot say: names of tables, ways that lead nowhere or in a circle.
void check_erasure_map(const ErasureMap& map, const Places& places, Mistakes& mistakes);
// "public.users", and not "users".
void check_table_name(const std::string& name, const std::string& pointer, const Places& places, Mistakes& mistakes);

}  // namespace kedge
