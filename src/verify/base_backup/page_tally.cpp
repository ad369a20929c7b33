#include "verify/base_backup/page_tally.h"

#include "verify/little_endian.h"
#include "verify/wal/wal_page.h"

namespace kedge::verify {
namespace {

constexpr std::uint16_t size_and_version = 0x2004;  // 8192 bytes, layout 4
constexpr std::uint16_t known_flags = 0x0007;

// What the server demands of a page that it reads (bufpage.c: PageIsVerifiedExtended), and its size and version.
bool is_sane(const std::byte* page, std::uint16_t upper) {
    const auto lower = load<std::uint16_t>(page + 12), special = load<std::uint16_t>(page + 16);
    return (load<std::uint16_t>(page + 10) & ~known_flags) == 0 && lower <= upper && upper <= special &&
           special <= page_bytes && special % 8 == 0 && load<std::uint16_t>(page + 18) == size_and_version;
}

}  // namespace

void PageTally::take(Bytes bytes, std::uint32_t block) {
    const std::byte* page = bytes.data();
    std::size_t left = bytes.size() / page_bytes;
    pages += left;
    for (; left >= 2; left -= 2, page += 2 * page_bytes, block += 2) {
        const TwoSums sums = page_sums(page);
        take_page(page, sums.first, block);
        take_page(page + page_bytes, sums.second, block + 1);
    }
    if (left == 1) take_page(page, page_sum(page), block);
}

void PageTally::take_page(const std::byte* page, std::uint32_t sum, std::uint32_t block) {
    const auto upper = load<std::uint16_t>(page + 14);
    if (upper == 0) {
        ++new_pages;
        if (!is_zero({page, page_bytes}) && ++not_new <= kept_max)
            suspects.push_back({block, SuspectPage::Why::not_new, {}});
        return;
    }
    const Lsn at{std::uint64_t{load<std::uint32_t>(page)} << 32 | load<std::uint32_t>(page + 4)};
    const bool fits = page_checksum(sum, block) == load<std::uint16_t>(page + 8), sane = is_sane(page, upper);
    if (fits && at > newest) {
        newest = at;
        newest_block = block;
    }
    if (!fits && ++wrong_checksums <= kept_max && sane) suspects.push_back({block, SuspectPage::Why::checksum, at});
    if (!sane && ++wrong_headers <= kept_max)
        suspects.push_back({block, fits ? SuspectPage::Why::header : SuspectPage::Why::both, at});
}

}  // namespace kedge::verify
