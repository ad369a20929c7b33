// For tests of what may not be read: root reads everything.
#pragma once

#include <unistd.h>

#include "base/check.h"

namespace kedge::verify {

// While it lives this process, if it is root's, acts as a user who owns nothing.
class AsNobody {
public:
    AsNobody() : before_(geteuid()) {
        if (before_ == 0) check(seteuid(nobody) == 0, "root may become anybody");
    }
    ~AsNobody() {
        if (before_ == 0) check(seteuid(before_) == 0, "and root again");
    }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;

private:
    static constexpr uid_t nobody = 65534;
    const uid_t before_;
};

}  // namespace kedge::verify
