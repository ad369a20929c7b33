// Single entries of listpacks and ziplists. Nothing here reads at or behind `end`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace kedge::verify {

// RDB files are little-endian, as the machines are that this is built for.
template <class Number>
Number little(const std::byte* at) {
    Number value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline std::uint32_t big32(const std::byte* at) {
    return __builtin_bswap32(little<std::uint32_t>(at));
}

// Encoding and content of the listpack entry at `at` (< end) in bytes; 0 if the encoding is unknown or its length is
// cut. It may reach over `end`.
inline std::size_t listpack_entry_bytes(const std::byte* at, const std::byte* end) {
    const std::size_t lead = std::to_integer<std::size_t>(*at);
    if (lead < 0x80) return 1;                  // 0xxxxxxx: 7-bit number
    if (lead < 0xc0) return 1 + (lead & 0x3f);  // 10llllll: string
    if (lead < 0xe0) return 2;                  // 110xxxxx: 13-bit number
    const std::size_t left = static_cast<std::size_t>(end - at);
    if (lead < 0xf0)  // 1110llll: string, 12-bit length
        return left < 2 ? 0 : 2 + ((lead & 0x0f) << 8) + std::to_integer<std::size_t>(at[1]);
    switch (lead) {
        case 0xf0: return left < 5 ? 0 : std::size_t{5} + little<std::uint32_t>(at + 1);  // string, 32-bit length
        case 0xf1: return 3;  // numbers of 16, 24, 32, 64 bits
        case 0xf2: return 4;
        case 0xf3: return 5;
        case 0xf4: return 9;
        default: return 0;
    }
}

// In how many bytes an entry's length is written behind it. (The limits are the writer's, one below what would fit.)
inline std::size_t listpack_back_bytes(std::size_t length) {
    if (length <= 127) return 1;
    if (length < 16383) return 2;
    if (length < 2097151) return 3;
    if (length < 268435455) return 4;
    return 5;
}

// Whether the `bytes` bytes at `at` say `length`: seven bits each, highest first, all but the first with bit 7 set.
inline bool listpack_back_is(const std::byte* at, std::size_t length, std::size_t bytes) {
    if (bytes == 1) return std::to_integer<std::size_t>(*at) == length;
    for (std::size_t i = 0; i < bytes; ++i) {
        const std::size_t shift = 7 * (bytes - 1 - i);
        const std::size_t expected = ((length >> shift) & 127) | (i > 0 ? 128 : 0);
        if (std::to_integer<std::size_t>(at[i]) != expected) return false;
    }
    return true;
}

// The number that the entry at `at` (whole) holds; nothing if it holds a string.
inline std::optional<std::int64_t> listpack_integer(const std::byte* at) {
    const std::uint32_t lead = std::to_integer<std::uint32_t>(*at);
    if (lead < 0x80) return lead;
    if (lead < 0xc0) return std::nullopt;
    if (lead < 0xe0) {
        const std::int32_t value =
            static_cast<std::int32_t>(((lead & 0x1f) << 8) | std::to_integer<std::uint32_t>(at[1]));
        return value < 4096 ? value : value - 8192;
    }
    switch (lead) {
        case 0xf1: return little<std::int16_t>(at + 1);
        case 0xf2: {
            std::uint32_t value = 0;
            std::memcpy(&value, at + 1, 3);
            return static_cast<std::int32_t>(value << 8) >> 8;
        }
        case 0xf3: return little<std::int32_t>(at + 1);
        case 0xf4: return little<std::int64_t>(at + 1);
        default: return std::nullopt;
    }
}

struct ZiplistEntry {
    std::size_t bytes = 0;       // of the whole entry; 0 if it cannot be read
    std::size_t back_bytes = 0;  // of the length of the entry before, in which it begins
    std::size_t before = 0;      // that length
};

// The entry at `at` (< end). It may reach over `end`.
inline ZiplistEntry ziplist_entry(const std::byte* at, const std::byte* end) {
    const std::size_t left = static_cast<std::size_t>(end - at);
    ZiplistEntry entry;
    const std::size_t first = std::to_integer<std::size_t>(*at);
    if (first == 0xff) return {};
    entry.back_bytes = first < 254 ? 1 : 5;
    if (left < entry.back_bytes + 1) return {};
    entry.before = first < 254 ? first : little<std::uint32_t>(at + 1);
    const std::byte* const encoded = at + entry.back_bytes;
    const std::size_t rest = left - entry.back_bytes;
    const std::size_t lead = std::to_integer<std::size_t>(*encoded);
    std::size_t length = 0;
    if (lead < 0x40) {  // 00llllll: string
        length = 1 + lead;
    } else if (lead < 0x80) {  // 01llllll llllllll: string
        if (rest < 2) return {};
        length = 2 + ((lead & 0x3f) << 8) + std::to_integer<std::size_t>(encoded[1]);
    } else if (lead == 0x80) {  // string with a 32-bit length, big-endian
        if (rest < 5) return {};
        length = std::size_t{5} + big32(encoded + 1);
    } else if (lead == 0xc0) {  // numbers of 16, 32, 64, 24, 8 bits
        length = 3;
    } else if (lead == 0xd0) {
        length = 5;
    } else if (lead == 0xe0) {
        length = 9;
    } else if (lead == 0xf0) {
        length = 4;
    } else if (lead == 0xfe) {
        length = 2;
    } else if (lead >= 0xf1 && lead <= 0xfd) {  // 0 to 12
        length = 1;
    } else {
        return {};
    }
    entry.bytes = entry.back_bytes + length;
    return entry;
}

}  // namespace kedge::verify
