// A position in PostgreSQL's write-ahead log, written `X/Y` in hexadecimal with value X * 2^32 + Y
// (PostgreSQL manual, type pg_lsn).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kedge {

struct Lsn {
    std::uint64_t value = 0;
    friend auto operator<=>(const Lsn&, const Lsn&) = default;
};

std::string to_string(Lsn lsn);
// invalid_input for anything but two hexadecimal numbers of at most eight digits with a slash between.
Result<Lsn> parse_lsn(std::string_view text);

}  // namespace kedge
