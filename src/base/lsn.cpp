#include "base/lsn.h"

#include <fmt/format.h>

#include <charconv>

namespace kedge {

std::string to_string(Lsn lsn) {
    return fmt::format("{:X}/{:X}", lsn.value >> 32, lsn.value & 0xFFFF'FFFFu);
}

Result<Lsn> parse_lsn(std::string_view text) {
    const auto half = [](std::string_view part, std::uint64_t& out) {
        if (part.empty() || part.size() > 8) return false;
        const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), out, 16);
        return status == std::errc{} && end == part.data() + part.size();
    };
    const std::size_t slash = text.find('/');
    std::uint64_t high = 0, low = 0;
    if (slash == std::string_view::npos || !half(text.substr(0, slash), high) || !half(text.substr(slash + 1), low))
        return Error{Fault::invalid_input, fmt::format("'{}' is not a log position such as 0/16B3740", text)};
    return Lsn{high << 32 | low};
}

}  // namespace kedge
