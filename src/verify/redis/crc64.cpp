#include "verify/redis/crc64.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kedge::verify {
namespace {

// The polynomial, reflected: bit 63 stands for x^0.
constexpr std::uint64_t polynomial = 0x95ac9329ac4bc9b5;

constexpr std::uint64_t times_x(std::uint64_t value) {
    return (value & 1) != 0 ? (value >> 1) ^ polynomial : value >> 1;
}

constexpr std::uint64_t power_of_x(unsigned exponent) {
    std::uint64_t power = std::uint64_t{1} << 63;
    for (unsigned i = 0; i < exponent; ++i) power = times_x(power);
    return power;
}

using Tables = std::array<std::array<std::uint64_t, 256>, 8>;

constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint64_t byte = 0; byte < 256; ++byte) {
        std::uint64_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = times_x(crc);
        tables[0][byte] = crc;
    }
    for (std::size_t ahead = 1; ahead < 8; ++ahead)
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint64_t crc = tables[ahead - 1][byte];
            tables[ahead][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
        }
    return tables;
}

constexpr Tables tables = make_tables();

std::uint64_t eight_bytes(const std::byte* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
}

std::uint64_t times(std::uint64_t left, std::uint64_t right) {
    std::uint64_t product = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 63; bit != 0; bit >>= 1) {
        if ((left & bit) != 0) product ^= right;
        right = times_x(right);
    }
    return product;
}

#if defined(__x86_64__)

constexpr std::size_t lane_bytes = 16, lanes = 8, stride = lane_bytes * lanes;

// Multiplying by carry-less multiplication of reflected numbers gives one factor x too many: hence the -1.
constexpr long long folding(unsigned bits) {
    return static_cast<long long>(power_of_x(bits - 1));
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i folded(__m128i value, __m128i constants) {
    return _mm_xor_si128(_mm_clmulepi64_si128(value, constants, 0x00), _mm_clmulepi64_si128(value, constants, 0x11));
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i loaded(const std::byte* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// `bytes` holds at least one stride. Eight lanes are carried along, each over what lies a stride further on; then each
// is carried over to the next, and what is left of 16 bytes is a matter for the tables.
__attribute__((target("pclmul,sse4.1"))) std::uint64_t crc64_by_folding(std::uint64_t before, Bytes bytes) {
    const __m128i by_stride = _mm_set_epi64x(folding(stride * 8), folding(stride * 8 + 64));
    const __m128i by_lane = _mm_set_epi64x(folding(lane_bytes * 8), folding(lane_bytes * 8 + 64));
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    __m128i sums[lanes];
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] = loaded(at + lane * lane_bytes);
    sums[0] = _mm_xor_si128(sums[0], _mm_set_epi64x(0, static_cast<long long>(before)));
    for (at += stride, left -= stride; left >= stride; at += stride, left -= stride)
        for (std::size_t lane = 0; lane < lanes; ++lane)
            sums[lane] = _mm_xor_si128(folded(sums[lane], by_stride), loaded(at + lane * lane_bytes));
    __m128i sum = sums[0];
    for (std::size_t lane = 1; lane < lanes; ++lane) sum = _mm_xor_si128(folded(sum, by_lane), sums[lane]);
    for (; left >= lane_bytes; at += lane_bytes, left -= lane_bytes)
        sum = _mm_xor_si128(folded(sum, by_lane), loaded(at));
    std::array<std::byte, lane_bytes> rest{};
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rest.data()), sum);
    return crc64_by_tables(crc64_by_tables(0, rest), Bytes(at, left));
}

#endif

}  // namespace

std::uint64_t crc64_by_tables(std::uint64_t before, Bytes bytes) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t crc = before;
    for (; left >= 8; at += 8, left -= 8) {
        crc ^= eight_bytes(at);
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < 8; ++i) next ^= tables[7 - i][(crc >> (8 * i)) & 0xff];
        crc = next;
    }
    for (; left > 0; ++at, --left) crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint64_t>(*at)) & 0xff];
    return crc;
}

std::uint64_t crc64(std::uint64_t before, Bytes bytes) {
#if defined(__x86_64__)
    static const bool folds = __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
    if (folds && bytes.size() >= stride) return crc64_by_folding(before, bytes);
#endif
    return crc64_by_tables(before, bytes);
}

std::uint64_t crc64_joined(std::uint64_t first, std::uint64_t second, std::uint64_t second_bytes) {
    std::uint64_t shift = power_of_x(0);
    std::uint64_t square = power_of_x(8);  // x to the power of 8, 16, 32, ...
    for (; second_bytes != 0; second_bytes >>= 1) {
        if ((second_bytes & 1) != 0) shift = times(shift, square);
        square = times(square, square);
    }
    return times(first, shift) ^ second;
}

}  // namespace kedge::verify
