// Fills an empty database with the lab's tables, made-up content, and the one login that probes use.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace kedge::lab {

inline constexpr const char* probe_email = "dr-probe@aragora.example";

// Connects by `conninfo` as a role that may create tables, makes the role `aragora` if it is absent, and
// loads schema and content in one transaction. conflict if the tables are there already.
Result<void> initialise_database(const std::string& conninfo, const std::string& probe_password, Moment deadline);

}  // namespace kedge::lab
