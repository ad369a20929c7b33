// The inner loop over COPY text: finds the ends of rows and counts their fields, 64 bytes at a time.
//
// Format: CopyAttributeOutText of PostgreSQL. A row ends with a line feed, its fields are parted by tabs, and neither
// stands within a field, in any encoding. Other control characters than these are escaped or, from 0x0e on, stand as
// they are. There is one loop for each kind of processor; they do the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kedge::verify {

// What a scan carries from one call to the next, and what it found. Offsets are in the text.
struct RowScan {
    // How often something happened and where first.
    struct Sight {
        std::uint64_t count = 0, first = 0, row = 0;  // `row` from 1
        std::uint64_t detail = 0;
    };

    // Set before the first byte.
    std::uint64_t tabs_expected = 0;
    bool tabs_known = false;       // else the first row sets them
    std::uint64_t empty_rows = 0;  // all bits set where rows have no column and so no byte
    bool check_escapes = false, check_utf8 = false;

    // Running.
    std::uint64_t rows = 0, row_start = 0, tabs = 0;
    bool escaped = false;                             // the next byte is what a backslash before it escapes
    std::uint32_t utf8_more = 0;                      // bytes that the character still needs
    unsigned char utf8_low = 0x80, utf8_high = 0xbf;  // between which the next of them lies

    // Found.
    bool terminated = false;           // a line with only `\.` was seen; what follows is not counted as rows
    std::uint64_t terminator_end = 0;  // behind its line feed
    Sight fields, length, control, escape, utf8;

    // What is rare enough to be told apart out of line. `at` is the byte at `offset`.
    void odd_row(const std::byte* line_feed, std::uint64_t offset, std::uint64_t row_bytes);
    void low_bytes(const std::byte* block, std::uint64_t offset, std::uint64_t which);
    void backslashes(const std::byte* block, std::uint64_t offset, std::uint64_t which);
    void high_bytes(const std::byte* block, std::uint64_t offset, std::uint64_t which, int count);
    void see(Sight& sight, std::uint64_t offset, std::uint64_t detail = 0);
};

inline constexpr std::size_t row_scan_block = 64;
inline constexpr std::size_t row_scan_behind = 2;  // bytes before `from` that are read: the two that came before
inline constexpr std::size_t row_scan_ahead = 2;   // bytes behind the last block that are read

// Scans the whole blocks of [from, from + 64 * blocks), the first byte of which is at `offset`. `valid` tells which
// bytes of the last block count. Bytes behind and ahead can be read.
void scan_rows(RowScan& scan, const std::byte* from, std::size_t blocks, std::uint64_t offset,
               std::uint64_t valid = ~std::uint64_t{0});

// The variants, for tests: what the compiler's own processor can do, and AVX2 where there is one.
using ScanRows = void (*)(RowScan&, const std::byte*, std::size_t, std::uint64_t, std::uint64_t);
void scan_rows_plain(RowScan& scan, const std::byte* from, std::size_t blocks, std::uint64_t offset,
                     std::uint64_t valid);
ScanRows scan_rows_avx2();  // null where there is none

}  // namespace kedge::verify
