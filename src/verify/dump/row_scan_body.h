// The loop itself, compiled once for each kind of processor: everything here is local to the file that includes it, and
// nothing of the standard library is used that the linker could share between them. `Classes classify(const
// std::byte*)` comes before.
#pragma once

#include "verify/dump/row_scan.h"

namespace kedge::verify {
namespace {

inline void scan_block(RowScan& scan, const std::byte* block, std::uint64_t offset, std::uint64_t valid) {
    const Classes classes = classify(block);
    std::uint64_t line_feeds = classes.line_feed & valid, tabs = classes.tab & valid;
    if (const std::uint64_t low = classes.low & valid & ~(line_feeds | tabs); low != 0) [[unlikely]]
        scan.low_bytes(block, offset, low);
    if (const std::uint64_t escapes = classes.backslash & valid; scan.check_escapes && escapes != 0)
        scan.backslashes(block, offset, escapes);
    else
        scan.escaped = false;
    if (scan.check_utf8 && ((classes.high & valid) != 0 || scan.utf8_more != 0))
        scan.high_bytes(block, offset, classes.high, __builtin_popcountll(valid));
    while (line_feeds != 0) {
        const std::uint64_t up_to = line_feeds ^ (line_feeds - 1);
        const int at = __builtin_ctzll(line_feeds);
        scan.tabs += static_cast<std::uint64_t>(__builtin_popcountll(tabs & up_to));
        tabs &= ~up_to;
        line_feeds &= line_feeds - 1;
        const std::uint64_t here = offset + static_cast<std::uint64_t>(at), bytes = here - scan.row_start;
        ++scan.rows;
        // Two bytes may be the end marker.
        if ((scan.tabs != scan.tabs_expected) | (bytes == 2) | ((bytes & scan.empty_rows) != 0)) [[unlikely]]
            scan.odd_row(block + at, here, bytes);
        scan.row_start = here + 1;
        scan.tabs = 0;
    }
    scan.tabs += static_cast<std::uint64_t>(__builtin_popcountll(tabs));
}

inline void scan_blocks(RowScan& scan, const std::byte* from, std::size_t blocks, std::uint64_t offset,
                        std::uint64_t valid) {
    for (std::size_t i = 0; i < blocks; ++i)
        scan_block(scan, from + i * row_scan_block, offset + i * row_scan_block,
                   i + 1 == blocks ? valid : ~std::uint64_t{0});
}

}  // namespace
}  // namespace kedge::verify
