// CRC-64 as Redis uses it ("Jones"): polynomial 0xad93d23594c935a9, reflected in and out, nothing inverted at either
// end. Check value of "123456789": 0xe9c6d914c4b8d9ca.
//
// With carry-less multiplication where the processor has it (Gopal and others, "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Intel 2009), else eight bytes a step by tables.
#pragma once

#include <cstdint>

#include "verify/bytes.h"

namespace kedge::verify {

// The checksum of what gave `before`, followed by `bytes`. The checksum of nothing is 0.
std::uint64_t crc64(std::uint64_t before, Bytes bytes);

// The checksum of two stretches, each computed from 0, one behind the other: so that they can be computed side by side.
std::uint64_t crc64_joined(std::uint64_t first, std::uint64_t second, std::uint64_t second_bytes);

// The way by tables, whatever the processor: what the fast way is tested against.
std::uint64_t crc64_by_tables(std::uint64_t before, Bytes bytes);

}  // namespace kedge::verify
