// One page is a chain of 64 dependent multiplications in each lane, so a core waits for them most of the time. Two
// pages side by side fill the gaps, and then reading the pages from memory is what takes the time.
#include "verify/base_backup/page_checksum.h"

#include <array>

#include "verify/little_endian.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kedge::verify {
namespace {

constexpr std::size_t lanes = 32;
constexpr std::size_t rows = page_bytes / (lanes * 4);
constexpr std::uint32_t prime = 16777619;
constexpr std::uint32_t checksum_word_mask = 0xFFFF0000;  // word 2 of a page: the checksum is its lower half
alignas(32) constexpr std::array<std::uint32_t, lanes> start{
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

constexpr std::uint32_t step(std::uint32_t lane, std::uint32_t word) {
    const std::uint32_t mixed = lane ^ word;
    return (mixed * prime) ^ (mixed >> 17);
}

#if defined(__x86_64__)

// 32 lanes in four registers.
struct Wide {
    __m256i part[4];
};

__attribute__((target("avx2"), always_inline)) inline Wide wide_start() {
    Wide wide;
    for (std::size_t i = 0; i < 4; ++i)
        wide.part[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(start.data() + 8 * i));
    return wide;
}

__attribute__((target("avx2"), always_inline)) inline __m256i wide_step(__m256i lane, __m256i word) {
    const __m256i mixed = _mm256_xor_si256(lane, word);
    return _mm256_xor_si256(_mm256_mullo_epi32(mixed, _mm256_set1_epi32(static_cast<int>(prime))),
                            _mm256_srli_epi32(mixed, 17));
}

__attribute__((target("avx2"), always_inline)) inline __m256i words(const std::byte* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

__attribute__((target("avx2"), always_inline)) inline void first_row(Wide& wide, const std::byte* page) {
    const __m256i mask = _mm256_setr_epi32(-1, -1, static_cast<int>(checksum_word_mask), -1, -1, -1, -1, -1);
    wide.part[0] = wide_step(wide.part[0], _mm256_and_si256(words(page), mask));
    for (std::size_t i = 1; i < 4; ++i) wide.part[i] = wide_step(wide.part[i], words(page + 32 * i));
}

__attribute__((target("avx2"), always_inline)) inline std::uint32_t folded(Wide& wide) {
    const __m256i zero = _mm256_setzero_si256();
    for (int round = 0; round < 2; ++round)
        for (__m256i& part : wide.part) part = wide_step(part, zero);
    const __m256i four =
        _mm256_xor_si256(_mm256_xor_si256(wide.part[0], wide.part[1]), _mm256_xor_si256(wide.part[2], wide.part[3]));
    const __m128i two = _mm_xor_si128(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    const __m128i one = _mm_xor_si128(two, _mm_shuffle_epi32(two, 0x4E));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_xor_si128(one, _mm_shuffle_epi32(one, 0xB1))));
}

__attribute__((target("avx2"))) TwoSums page_sums_wide(const std::byte* pages) {
    const std::byte* const second = pages + page_bytes;
    Wide a = wide_start(), b = wide_start();
    first_row(a, pages);
    first_row(b, second);
    for (std::size_t at = lanes * 4; at < page_bytes; at += lanes * 4)
        for (std::size_t i = 0; i < 4; ++i) {
            a.part[i] = wide_step(a.part[i], words(pages + at + 32 * i));
            b.part[i] = wide_step(b.part[i], words(second + at + 32 * i));
        }
    const std::uint32_t first = folded(a);
    return {first, folded(b)};
}

__attribute__((target("avx2"))) std::uint32_t page_sum_wide(const std::byte* page) {
    Wide a = wide_start();
    first_row(a, page);
    for (std::size_t at = lanes * 4; at < page_bytes; at += lanes * 4)
        for (std::size_t i = 0; i < 4; ++i) a.part[i] = wide_step(a.part[i], words(page + at + 32 * i));
    return folded(a);
}

const bool has_wide = __builtin_cpu_supports("avx2") != 0;

#endif

}  // namespace

std::uint32_t page_sum_plain(const std::byte* page) {
    std::array<std::uint32_t, lanes> lane = start;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < lanes; ++i) {
            std::uint32_t word = load<std::uint32_t>(page + (row * lanes + i) * 4);
            if (row == 0 && i == 2) word &= checksum_word_mask;
            lane[i] = step(lane[i], word);
        }
    std::uint32_t sum = 0;
    for (const std::uint32_t one : lane) sum ^= step(step(one, 0), 0);
    return sum;
}

std::uint32_t page_sum(const std::byte* page) {
#if defined(__x86_64__)
    if (has_wide) return page_sum_wide(page);
#endif
    return page_sum_plain(page);
}

TwoSums page_sums(const std::byte* two_pages) {
#if defined(__x86_64__)
    if (has_wide) return page_sums_wide(two_pages);
#endif
    return {page_sum_plain(two_pages), page_sum_plain(two_pages + page_bytes)};
}

}  // namespace kedge::verify
