// CRC-32C (Castagnoli, reflected), with which PostgreSQL covers its log, its control file and backup manifests.
//
// A state is the bare register: it begins as `crc32c_start` and the checksum is `~state` after the last byte. Bare
// states of neighbouring bytes can be joined, which lets records that cross a border be checked from both sides.
#pragma once

#include <cstdint>

#include "verify/bytes.h"

namespace kedge::verify {

inline constexpr std::uint32_t crc32c_start = 0xFFFFFFFF;

std::uint32_t crc32c_update(std::uint32_t state, Bytes bytes);

// The state that `state` becomes by `bytes` zero bytes: for any A and B,
// update(s, A B) == crc32c_skip(update(s, A), size of B) ^ update(0, B).
std::uint32_t crc32c_skip(std::uint32_t state, std::uint64_t bytes);

inline std::uint32_t crc32c(Bytes bytes) {
    return ~crc32c_update(crc32c_start, bytes);
}

}  // namespace kedge::verify
