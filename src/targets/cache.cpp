#include "targets/cache.h"

#include <fmt/format.h>

namespace kedge {

Result<void> check_named_master(const std::vector<SentinelLook>& sentinels, const std::string& region) {
    bool named = false;
    for (const SentinelLook& sentinel : sentinels) {
        if (!sentinel.master) continue;
        if (*sentinel.master != region)
            return Error{Fault::refused,
                         fmt::format("Sentinel {} names the node in {} master", sentinel.name, *sentinel.master)};
        named = true;
    }
    if (named) return {};
    return Error{Fault::unavailable, "no Sentinel says which node is master"};
}

}  // namespace kedge
