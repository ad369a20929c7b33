// What one repetition of a measurement saw. The measuring programs append observations to a file; `bench-tables` reads
// it and prints. So a long measurement can be made in pieces, and a table names how many repetitions it has.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace kedge::bench {

// One line of the file: {"subject": "kill/kedge", "figures": {"outage_s": 1.2, "lost": 0, ...}}. A figure that was not
// measured is null or absent, never zero.
Result<void> note(const std::string& directory, const std::string& subject, const Json& figures);

// By subject, in the order in which they were made. Empty if nothing was measured yet; corrupt for a line that is none.
Result<std::map<std::string, std::vector<Json>>> read_observations(const std::string& directory);

// For figures: seconds, or null.
Json seconds_or_null(const std::optional<Span>& span);

// The middle of several repetitions, and their ends.
struct Spread {
    std::size_t count = 0;    // repetitions in which it was measured
    std::size_t unknown = 0;  // those in which it was not
    double median = 0, least = 0, most = 0, sum = 0;
};
Spread spread_of(const std::vector<Json>& observations, const std::string& figure);

}  // namespace kedge::bench
