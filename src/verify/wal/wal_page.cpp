#include "verify/wal/wal_page.h"

#include <bit>
#include <cstring>

#include "verify/little_endian.h"

namespace kedge::verify {

WalPageHeader read_page_header(const std::byte* page) {
    return {.magic = load<std::uint16_t>(page),
            .flags = load<std::uint16_t>(page + 2),
            .timeline = load<std::uint32_t>(page + 4),
            .at = Lsn{load<std::uint64_t>(page + 8)},
            .remaining = load<std::uint32_t>(page + 16),
            .padding = load<std::uint32_t>(page + 20)};
}

WalLongHeader read_long_header(const std::byte* page) {
    return {load<std::uint64_t>(page + 24), load<std::uint32_t>(page + 32), load<std::uint32_t>(page + 36)};
}

std::optional<int> major_of_magic(std::uint16_t magic) {
    switch (magic) {
        case 0xD106: return 13;
        case 0xD10D: return 14;
        case 0xD110: return 15;
        case 0xD113: return 16;
        case 0xD116: return 17;
        case 0xD118: return 18;
        default: return std::nullopt;
    }
}

bool is_segment_size(std::uint64_t bytes) {
    return std::has_single_bit(bytes) && bytes >= segment_bytes_min && bytes <= segment_bytes_max;
}

bool is_zero(Bytes bytes) {
    // A range is all zero if it begins with one and equals itself shifted by one.
    return bytes.empty() ||
           (bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace kedge::verify
