// The checksum of a page of a table or an index (PostgreSQL: storage/checksum_impl.h, versions 9.3 to 18): 32 lanes of
// a variant of FNV-1a, folded to 16 bits, with the block's number mixed in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kedge::verify {

inline constexpr std::size_t page_bytes = 8192;

// The sum of one page before the block number is mixed in; the two bytes of the stored checksum count as zero.
std::uint32_t page_sum(const std::byte* page);
// Those of two pages that lie one behind the other, in the time of little more than one.
struct TwoSums {
    std::uint32_t first, second;
};
TwoSums page_sums(const std::byte* two_pages);

constexpr std::uint16_t page_checksum(std::uint32_t sum, std::uint32_t block) {
    return static_cast<std::uint16_t>((sum ^ block) % 65535 + 1);
}

// The same without the processor's wide registers: what they are tested against, and what is used where there are none.
std::uint32_t page_sum_plain(const std::byte* page);

}  // namespace kedge::verify
