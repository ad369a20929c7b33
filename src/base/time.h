// Moments and spans, and how they are written: RFC 3339 in UTC with milliseconds for moments, `1.5s`,
// `5m`, `25h` for spans. A span in a file always carries its unit; a moment always carries its zone.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kedge {

using Span = std::chrono::microseconds;
using Moment = std::chrono::sys_time<std::chrono::microseconds>;

// "2026-11-23T14:00:12.481Z"
std::string to_string(Moment moment);
// The reverse, any number of fraction digits, zone `Z` or `+hh:mm`. invalid_input for anything else;
// a moment without a zone is refused by name.
Result<Moment> parse_moment(std::string_view text);

// For files and machines, exact: "250ms", "30s", "5m", "90s" (never "1m30s"), "2h".
std::string to_string(Span span);
// "250ms", "1.5s", "5m", "4h", "7d". invalid_input without a unit, for a negative or an overflow.
Result<Span> parse_span(std::string_view text);

// For people, rounded to what matters: "412 ms", "7.4 s", "5m12s", "2h05m", "3d4h".
std::string readable(Span span);

constexpr double seconds(Span span) {
    return std::chrono::duration<double>(span).count();
}

}  // namespace kedge
