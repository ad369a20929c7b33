// Integers as x86-64 and arm64 servers write them: little-endian, at any address.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace kedge::verify {

static_assert(std::endian::native == std::endian::little, "files of big-endian servers are not read");

// The integer that begins at `at`; its bytes must be there.
template <std::integral T>
T load(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

}  // namespace kedge::verify
