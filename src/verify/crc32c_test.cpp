#include "verify/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace kedge::verify {
namespace {

TEST(Crc32c, IsThatOfItsStandard) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);  // RFC 3720, appendix B.4, and the catalogue's check value
    EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8A9136AAu);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, IsTheSameInPiecesOfEverySize) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text.push_back(static_cast<char>(i * 7 + i / 256));
    for (const std::size_t size : {1u, 7u, 8u, 63u, 319u, 320u, 321u, 1024u, 2999u, 3000u}) {
        const Bytes bytes = as_bytes(text).first(size);
        std::uint32_t state = crc32c_start;
        for (std::size_t i = 0; i < size; ++i) state = crc32c_update(state, bytes.subspan(i, 1));
        EXPECT_EQ(~state, crc32c(bytes)) << size;
    }
}

TEST(Crc32c, JoinsTheStatesOfNeighbours) {
    const std::string text(5000, 'x');
    for (const std::size_t cut : {0u, 1u, 20u, 4096u, 5000u}) {
        const Bytes a = as_bytes(text).first(cut), b = as_bytes(text).subspan(cut);
        const std::uint32_t joined = crc32c_skip(crc32c_update(crc32c_start, a), b.size()) ^ crc32c_update(0, b);
        EXPECT_EQ(~joined, crc32c(as_bytes(text))) << cut;
    }
}

}  // namespace
}  // namespace kedge::verify
