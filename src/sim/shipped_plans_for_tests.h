// For tests: the plans that ship, each way in which they are used, bound to the lab's estate.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/disaster.h"

namespace kedge::sim {

struct ShippedUse {
    std::string plan;
    std::map<std::string, std::string> inputs;
};
// What a test calls it: "database_failover_planned".
std::string name_of(const ShippedUse& use);
const std::vector<ShippedUse>& shipped_uses();

struct Casting {
    Assignment assignment;
    BoundPlan bound;
};
// `use` of the shipped plan; or `text` in its place.
Casting cast(const ShippedUse& use, const std::string& text = {});
std::string read_source(const std::string& path);

}  // namespace kedge::sim
