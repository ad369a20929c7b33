// Stops the process when our own logic is wrong. Always on; never for input or for the world.
#pragma once

#include <source_location>
#include <string_view>

namespace kedge {

[[noreturn]] void fail_check(std::string_view why, const std::source_location& where);

// Stops the process with the place and the reason unless `condition` holds.
inline void check(bool condition, std::string_view why,
                  const std::source_location& where = std::source_location::current()) {
    if (!condition) [[unlikely]]
        fail_check(why, where);
}

}  // namespace kedge
