#include "verify/dump/row_scan.h"

#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace kedge::verify {
namespace {

struct Classes {
    std::uint64_t line_feed = 0, tab = 0, backslash = 0, low = 0, high = 0;
};

#ifdef __SSE2__

// Two bytes of a mask for each sixteen bytes of text.
std::uint64_t bits(__m128i bytes, int quarter) {
    return std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(bytes))} << (16 * quarter);
}

Classes classify(const std::byte* block) {
    Classes classes;
    for (int i = 0; i < 4; ++i) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * i));
        classes.line_feed |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), i);
        classes.tab |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), i);
        classes.backslash |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')), i);
        classes.low |= bits(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x0d)), bytes), i);
        classes.high |= bits(bytes, i);
    }
    return classes;
}

#else

Classes classify(const std::byte* block) {
    Classes classes;
    for (int i = 0; i < 64; ++i) {
        const auto byte = std::to_integer<unsigned>(block[i]);
        const std::uint64_t bit = std::uint64_t{1} << i;
        if (byte == '\n') classes.line_feed |= bit;
        if (byte == '\t') classes.tab |= bit;
        if (byte == '\\') classes.backslash |= bit;
        if (byte <= 0x0d) classes.low |= bit;
        if (byte >= 0x80) classes.high |= bit;
    }
    return classes;
}

#endif

char at(const std::byte* byte) {
    return static_cast<char>(*byte);
}

// What follows a backslash: the escapes that the server writes, NULL, and the end marker.
bool may_follow_backslash(char c) {
    return std::string_view{"bfnrtv\\N."}.find(c) != std::string_view::npos;
}

bool is_field_end(char c) {
    return c == '\t' || c == '\n';
}

}  // namespace
}  // namespace kedge::verify

#include "verify/dump/row_scan_body.h"

namespace kedge::verify {

void scan_rows_plain(RowScan& scan, const std::byte* from, std::size_t blocks, std::uint64_t offset,
                     std::uint64_t valid) {
    scan_blocks(scan, from, blocks, offset, valid);
}

void scan_rows(RowScan& scan, const std::byte* from, std::size_t blocks, std::uint64_t offset, std::uint64_t valid) {
    static const ScanRows best = scan_rows_avx2() != nullptr ? scan_rows_avx2() : &scan_rows_plain;
    best(scan, from, blocks, offset, valid);
}

void RowScan::see(Sight& sight, std::uint64_t offset, std::uint64_t detail) {
    if (sight.count++ == 0) sight = {1, offset, rows, detail};
}

void RowScan::odd_row(const std::byte* line_feed, std::uint64_t offset, std::uint64_t row_bytes) {
    if (terminated) {
        --rows;
        return;
    }
    if (row_bytes == 2 && at(line_feed - 2) == '\\' && at(line_feed - 1) == '.') {
        terminated = true;
        terminator_end = offset + 1;
        --rows;
        // So that every line behind it comes here.
        tabs_expected = UINT64_MAX;
        return;
    }
    if (!tabs_known) {
        tabs_known = true;
        tabs_expected = tabs;
    }
    if (tabs != tabs_expected) see(fields, row_start, tabs + 1);
    if ((row_bytes & empty_rows) != 0) see(length, row_start, row_bytes);
}

void RowScan::low_bytes(const std::byte* block, std::uint64_t offset, std::uint64_t which) {
    for (; which != 0; which &= which - 1) {
        const int i = __builtin_ctzll(which);
        const char c = at(block + i);
        // 0x01 to 0x07 stand as they are.
        if (c >= 0x01 && c <= 0x07) continue;
        see(control, offset + static_cast<std::uint64_t>(i), static_cast<unsigned char>(c));
    }
}

void RowScan::backslashes(const std::byte* block, std::uint64_t offset, std::uint64_t which) {
    if (escaped) which &= ~std::uint64_t{1};
    escaped = false;
    while (which != 0) {
        const int i = __builtin_ctzll(which);
        which &= which - 1;
        const std::byte* here = block + i;
        const char next = at(here + 1);
        bool good = may_follow_backslash(next);
        if (next == '\\') {
            if (i == 63)
                escaped = true;
            else
                which &= ~(std::uint64_t{2} << i);
        }
        if (next == 'N') good = is_field_end(at(here - 1)) && is_field_end(at(here + 2));
        if (next == '.') good = at(here - 1) == '\n' && at(here + 2) == '\n';
        if (!good) see(escape, offset + static_cast<std::uint64_t>(i), static_cast<unsigned char>(next));
    }
}

// RFC 3629: the shortest form, no surrogates, nothing above U+10FFFF.
void RowScan::high_bytes(const std::byte* block, std::uint64_t offset, std::uint64_t which, int count) {
    for (int i = 0; i < count; ++i) {
        if (utf8_more == 0) {
            // On to the next byte above 0x7f.
            const std::uint64_t rest = which >> i;
            if (rest == 0) return;
            i += __builtin_ctzll(rest);
            if (i >= count) return;
        }
        const auto byte = static_cast<unsigned char>(block[i]);
        if (utf8_more > 0) {
            if (byte >= utf8_low && byte <= utf8_high) {
                --utf8_more;
                utf8_low = 0x80;
                utf8_high = 0xbf;
                continue;
            }
            see(utf8, offset + static_cast<std::uint64_t>(i), byte);
            utf8_more = 0;
            utf8_low = 0x80;
            utf8_high = 0xbf;
            if (byte < 0x80) continue;
        }
        if (byte >= 0xc2 && byte <= 0xdf) {
            utf8_more = 1;
        } else if ((byte & 0xf0) == 0xe0) {
            utf8_more = 2;
            if (byte == 0xe0) utf8_low = 0xa0;
            if (byte == 0xed) utf8_high = 0x9f;
        } else if (byte >= 0xf0 && byte <= 0xf4) {
            utf8_more = 3;
            if (byte == 0xf0) utf8_low = 0x90;
            if (byte == 0xf4) utf8_high = 0x8f;
        } else {
            see(utf8, offset + static_cast<std::uint64_t>(i), byte);
        }
    }
}

}  // namespace kedge::verify
