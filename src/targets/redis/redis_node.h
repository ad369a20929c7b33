// What one Redis node says of itself, out of ROLE and INFO.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "targets/cache.h"
#include "targets/redis/resp.h"

namespace kedge {

// The value of `field` in an INFO text.
std::optional<std::string> info_field(std::string_view info, std::string_view field);

// What is asked of a node in one round trip, and what the answers mean. `region_of` names an address: its region,
// or the address itself where it is none of ours. not_allowed if the login may not even ask.
const std::vector<RedisCommand>& node_questions();
Result<CacheLook> read_node(const std::vector<Reply>& answers, const std::string& name,
                            const std::function<std::string(const Endpoint&)>& region_of);

}  // namespace kedge
