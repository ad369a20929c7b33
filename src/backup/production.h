// How many rows production holds, found out without harm: counted on a standby with a limit on each statement, or taken
// from the statistics that the server keeps anyway. Nothing is ever counted on a primary.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "estate/estate.h"

namespace kedge::backup {

struct ProductionRows {
    std::optional<std::uint64_t> rows;  // nothing: unknown, and `how` says why
    bool is_estimate = false;
    std::string how;  // "counted on the standby in us-west-2"
};

// By table. A server that is silent makes every table unknown, which is no error.
std::map<std::string, ProductionRows> count_in_production(const Target& database,
                                                          const std::vector<std::string>& tables,
                                                          const std::stop_token& stop);

// The comparison both ways: fewer rows in the backup may be a loss, more of them a mass deletion in production.
// Unknown where either side is.
struct Comparison {
    std::optional<double> difference;  // (backup - production) / production; of an empty production: all or nothing
    bool within = false;
    std::string says;
};
Comparison compare_with_production(std::uint64_t backup, const ProductionRows& production, double allowed);

}  // namespace kedge::backup
