// Pages of the write-ahead log (PostgreSQL: access/xlog_internal.h), versions 13 to 18, 8192 bytes each.
#pragma once

#include <cstdint>
#include <optional>

#include "base/lsn.h"
#include "verify/bytes.h"

namespace kedge::verify {

inline constexpr std::size_t wal_page_bytes = 8192;
inline constexpr std::size_t short_header_bytes = 24;
inline constexpr std::size_t long_header_bytes = 40;  // on the first page of a segment, and only there
inline constexpr std::uint64_t segment_bytes_min = 1u << 20;
inline constexpr std::uint64_t segment_bytes_max = 1u << 30;

struct WalPageHeader {
    static constexpr std::uint16_t continues = 1, is_long = 2, blocks_removable = 4, overwrites = 8;

    std::uint16_t magic = 0;
    std::uint16_t flags = 0;
    std::uint32_t timeline = 0;
    Lsn at;                       // of this page
    std::uint32_t remaining = 0;  // bytes still to come of the record that continues here, of all its pages
    std::uint32_t padding = 0;    // zero in every file that was seen

    bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
    std::size_t bytes() const { return has(is_long) ? long_header_bytes : short_header_bytes; }
};
// `page` begins there and holds at least `short_header_bytes`.
WalPageHeader read_page_header(const std::byte* page);

struct WalLongHeader {
    std::uint64_t system_identifier = 0;
    std::uint32_t segment_bytes = 0;
    std::uint32_t page_bytes = 0;
};
WalLongHeader read_long_header(const std::byte* page);

// 13 to 18; nothing for a magic number of none of them.
std::optional<int> major_of_magic(std::uint16_t magic);
// A power of two from 1 MiB to 1 GiB.
bool is_segment_size(std::uint64_t bytes);

bool is_zero(Bytes bytes);

}  // namespace kedge::verify
