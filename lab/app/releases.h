// The releases of the lab's application: what each needs of the schema. They are one program, which behaves as the
// release that it is told to be.
#pragma once

#include <array>
#include <string_view>

namespace kedge::lab {

struct Release {
    std::string_view name;
    int least = 0, most = 0;  // versions of the schema that it lives with
    bool serves = true;       // one of them has a fault: it starts, and is never healthy

    // It writes in what language a debate is held, and from whose locale it takes that.
    bool writes_language() const { return least >= 2; }
    bool reads_locale() const { return least >= 3; }
};

inline constexpr std::array releases = {Release{"1.0.0", 1, 2}, Release{"1.1.0", 2, 3}, Release{"1.1.1", 2, 3, false},
                                        Release{"1.2.0", 3, 3}};

// Null for any other name: such a release demands nothing.
constexpr const Release* find_release(std::string_view name) {
    for (const Release& release : releases)
        if (release.name == name) return &release;
    return nullptr;
}

}  // namespace kedge::lab
