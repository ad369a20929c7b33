// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "verify/bytes.h"
#include "verify/effort.h"

namespace kedge::verify {

// So small that a hostile input that got past them would be noticed by the fuzzer's own limits.
inline Limits fuzz_limits() {
    return {.output_bytes_max = 16u << 20, .ratio_max = 2000, .objects_max = 10'000, .window_bytes_max = 1u << 20};
}

inline Bytes fuzz_bytes(const std::uint8_t* data, std::size_t size) {
    return std::as_bytes(std::span(data, size));
}

}  // namespace kedge::verify
