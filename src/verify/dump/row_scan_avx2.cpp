// Compiled for AVX2 and called only where the processor has it.
#include "verify/dump/row_scan.h"

#ifdef __AVX2__

#include <immintrin.h>

namespace kedge::verify {
namespace {

// A bit for each of 64 bytes.
struct Classes {
    std::uint64_t line_feed, tab, backslash, low, high;
};

inline std::uint64_t bits(__m256i first, __m256i second) {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(first)) |
           std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(second))} << 32;
}

inline std::uint64_t equal(__m256i first, __m256i second, char to) {
    const __m256i wanted = _mm256_set1_epi8(to);
    return bits(_mm256_cmpeq_epi8(first, wanted), _mm256_cmpeq_epi8(second, wanted));
}

inline Classes classify(const std::byte* block) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
    const __m256i most = _mm256_set1_epi8(0x0d);
    return {equal(first, second, '\n'), equal(first, second, '\t'), equal(first, second, '\\'),
            bits(_mm256_cmpeq_epi8(_mm256_min_epu8(first, most), first),
                 _mm256_cmpeq_epi8(_mm256_min_epu8(second, most), second)),
            bits(first, second)};
}

}  // namespace
}  // namespace kedge::verify

#include "verify/dump/row_scan_body.h"

namespace kedge::verify {

ScanRows scan_rows_avx2() {
    const bool there = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("popcnt") != 0 &&
                       __builtin_cpu_supports("bmi") != 0;
    return there ? &scan_blocks : nullptr;
}

}  // namespace kedge::verify

#else

namespace kedge::verify {

ScanRows scan_rows_avx2() {
    return nullptr;
}

}  // namespace kedge::verify

#endif
