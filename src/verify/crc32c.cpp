// Short pieces (most log records) are faster in a plain loop over the instruction than through ISA-L, which is made
// for long ones: it runs three interleaved streams and joins them.
#include "verify/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <array>

#include "verify/little_endian.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace kedge::verify {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // reflected: bit 31 is x^0
constexpr std::size_t isal_bytes_max = 1u << 30;  // its length is an int

std::uint32_t update_long(std::uint32_t state, Bytes bytes) {
    while (!bytes.empty()) {
        const Bytes part = bytes.first(std::min(bytes.size(), isal_bytes_max));
        // ISA-L 2.30 declares the pointer without const; it does not write.
        auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(part.data()));
        state = crc32_iscsi(data, static_cast<int>(part.size()), state);
        bytes = bytes.subspan(part.size());
    }
    return state;
}

#if defined(__x86_64__)
constexpr std::size_t short_bytes_max = 320;

__attribute__((target("sse4.2"))) std::uint32_t update_short(std::uint32_t state, Bytes bytes) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = state;
    for (; left >= 8; at += 8, left -= 8) wide = _mm_crc32_u64(wide, load<std::uint64_t>(at));
    auto narrow = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, std::to_integer<unsigned char>(*at));
    return narrow;
}

const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif

// The product of two polynomials modulo the generator, bits reflected.
constexpr std::uint32_t product(std::uint32_t a, std::uint32_t b) {
    std::uint32_t result = 0;
    for (std::uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) result ^= b;
        b = (b & 1) != 0 ? (b >> 1) ^ polynomial : b >> 1;
    }
    return result;
}

// [i] is x^(8 * 2^i): what 2^i zero bytes multiply a state by.
constexpr std::array<std::uint32_t, 64> powers = [] {
    std::array<std::uint32_t, 64> table{};
    table[0] = 0x80000000u >> 8;
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = product(table[i - 1], table[i - 1]);
    return table;
}();

}  // namespace

std::uint32_t crc32c_update(std::uint32_t state, Bytes bytes) {
#if defined(__x86_64__)
    if (bytes.size() <= short_bytes_max && has_instruction) return update_short(state, bytes);
#endif
    return update_long(state, bytes);
}

std::uint32_t crc32c_skip(std::uint32_t state, std::uint64_t bytes) {
    for (std::size_t i = 0; bytes != 0; ++i, bytes >>= 1)
        if ((bytes & 1) != 0) state = product(powers[i], state);
    return state;
}

}  // namespace kedge::verify
