#include "verify/base_backup/page_checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace kedge::verify {
namespace {

std::vector<std::byte> counting_page() {
    std::vector<std::byte> page(page_bytes);
    for (std::size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>((7 * i + 3) % 256);
    return page;
}

TEST(PageChecksum, IsThatOfTheServer) {
    const auto page = counting_page();
    const std::uint32_t sum = page_sum(page.data());
    EXPECT_EQ(page_checksum(sum, 0), 0xAA4C);
    EXPECT_EQ(page_checksum(sum, 1), 0xAA4B);
    EXPECT_EQ(page_checksum(sum, 131072), 0xAA4A);
}

TEST(PageChecksum, LeavesOutTheStoredOne) {
    auto page = counting_page();
    const std::uint32_t before = page_sum(page.data());
    page[8] ^= std::byte{0xFF};
    page[9] ^= std::byte{0x01};
    EXPECT_EQ(page_sum(page.data()), before);
    page[10] ^= std::byte{0x01};
    EXPECT_NE(page_sum(page.data()), before);
}

TEST(PageChecksum, IsTheSameByEveryWay) {
    std::mt19937 random(7);
    std::vector<std::byte> pages(2 * page_bytes + 1);
    for (int round = 0; round < 50; ++round) {
        for (std::byte& byte : pages) byte = static_cast<std::byte>(random());
        const std::byte* at = pages.data() + round % 2;  // not aligned either
        const TwoSums sums = page_sums(at);
        EXPECT_EQ(sums.first, page_sum_plain(at));
        EXPECT_EQ(sums.second, page_sum_plain(at + page_bytes));
        EXPECT_EQ(page_sum(at), sums.first);
    }
}

}  // namespace
}  // namespace kedge::verify
