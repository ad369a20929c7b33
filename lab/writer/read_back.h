// After a drill: reads the stores, compares them with what was acknowledged, and says what is missing.
#pragma once

#include <optional>

#include "base/json.h"
#include "config.h"

namespace kedge::lab {

// One document with an entry for each stream that the configuration names:
//
//   {"fault_us": N or null, "unreadable_lines": N, "streams": [
//     {"name", "kind", "attempts", "acknowledged", "failed",
//      "store": "read" or why it could not be,
//      "missing_rows": N or null, "missing": "17-31 40", "missing_ranges": [[17,31],[40,40]],
//      "oldest_missing": {"seq", "acknowledged_us"} or null, "acknowledged_after_fault": N,
//      "stored_unacknowledged": N, "rpo_seconds": N or null,
//      "outages": [{"first_failed_us", "over_us": N or null, "seconds": N or null, "failed"}],
//      "largest_gap": {"from_us", "to_us", "seconds"} or null}]}
//
// Outages and the gap count from `fault` on, or from the first attempt. null = unknown, never zero.
// Fails only if the log cannot be read.
Result<Json> read_back(const WriterConfig& config, std::optional<Moment> fault, Moment deadline);

}  // namespace kedge::lab
