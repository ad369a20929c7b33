// For tests: the plans that ship, each way in which they are used, bound to the lab's estate.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/trial.h"

namespace kedge::sim {

struct ShippedUse {
    std::string plan;
    std::map<std::string, std::string> inputs;
};
// What a test calls it: "database_failover_planned".
std::string name_of(const ShippedUse& use);
const std::vector<ShippedUse>& shipped_uses();

// `use` of the shipped plan, ready to be tried.
Programme programme_of(const ShippedUse& use);
// A number that whoever runs the tests gave, for longer runs than those of every day.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise);
std::string read_source(const std::string& path);

}  // namespace kedge::sim
