// The drivers that exist, and which settings each of them takes: for a target as a whole and for each of its
// sites. One declaration; the estate's checks, schema and documentation come from it, and the drivers are built
// from nothing else.
#pragma once

#include "document/shape.h"
#include "estate/estate.h"

namespace kedge {

// The name of a field of every target, whatever its driver; all others are the driver's settings.
bool is_common_target_field(std::string_view name);

// "a target": the common fields, and by kind and driver those of the driver.
Shape target_shape();

// Texts of a setting that hold a password in clear: `password=...` of a connection string, or user:password
// in an address. They belong behind a reference.
bool holds_password(std::string_view text);

}  // namespace kedge
