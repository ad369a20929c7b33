#include "verify/figures.h"

#include <fmt/format.h>

namespace kedge::verify {

std::string counted(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
    return text;
}

std::string counted(std::uint64_t number, std::string_view noun, std::string_view plural) {
    const std::string many = plural.empty() ? std::string(noun) + "s" : std::string(plural);
    return counted(number) + " " + (number == 1 ? std::string(noun) : many);
}

std::string sized(std::uint64_t bytes) {
    if (bytes < 1000) return counted(bytes, "byte");
    double value = static_cast<double>(bytes);
    const char* const units[] = {"kB", "MB", "GB", "TB", "PB"};
    std::size_t unit = 0;
    for (value /= 1000; value >= 999.5 && unit + 1 < std::size(units); value /= 1000) ++unit;
    const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f} {}", value, digits, units[unit]);
}

}  // namespace kedge::verify
