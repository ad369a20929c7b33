// Three-valued logic. What could not be found out is `unknown`: it is shown as such and it blocks.
#pragma once

#include <optional>
#include <string_view>

namespace kedge {

enum class Truth { no, yes, unknown };

constexpr Truth truth(bool value) {
    return value ? Truth::yes : Truth::no;
}
constexpr Truth truth(std::optional<bool> value) {
    return value ? truth(*value) : Truth::unknown;
}

// yes only if both are; no if either is no.
constexpr Truth both(Truth a, Truth b) {
    if (a == Truth::no || b == Truth::no) return Truth::no;
    return a == Truth::yes && b == Truth::yes ? Truth::yes : Truth::unknown;
}

constexpr Truth negated(Truth a) {
    return a == Truth::unknown ? Truth::unknown : (a == Truth::yes ? Truth::no : Truth::yes);
}

constexpr std::string_view to_string(Truth value) {
    return value == Truth::yes ? "yes" : value == Truth::no ? "no" : "unknown";
}

}  // namespace kedge
