#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kedge {

void fail_check(std::string_view why, const std::source_location& where) {
    std::fprintf(stderr, "kedge: internal error at %s:%u: this must hold: %.*s\n", where.file_name(),
                 static_cast<unsigned>(where.line()), static_cast<int>(why.size()), why.data());
    std::abort();
}

}  // namespace kedge
