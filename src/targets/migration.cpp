#include "targets/migration.h"

namespace kedge {

ReleaseRanges release_ranges(const Json& declared) {
    ReleaseRanges releases;
    for (const auto& [release, range] : declared.items())
        releases[release] = {get_integer(range, "least").value_or(0), get_integer(range, "most").value_or(0)};
    return releases;
}

}  // namespace kedge
