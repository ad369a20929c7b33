#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kedge {

void fail_check(std::string_view why, const char* file, int line) {
    std::fprintf(stderr, "kedge: internal error at %s:%d: this must hold: %.*s\n", file, line,
                 static_cast<int>(why.size()), why.data());
    std::abort();
}

}  // namespace kedge
