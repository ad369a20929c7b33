// Stops the process when our own logic is wrong. Always on; never for input or for the world.
#pragma once

#include <string_view>

namespace kedge {

[[noreturn]] void fail_check(std::string_view why, const char* file, int line);

// Stops the process with the place and the reason unless `condition` holds. The place is that of the caller: the
// compilers' builtins do what std::source_location does, which clang 14 (our clang-tidy) cannot read in libstdc++ 12.
inline void check(bool condition, std::string_view why, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
    if (!condition) [[unlikely]]
        fail_check(why, file, line);
}

}  // namespace kedge
