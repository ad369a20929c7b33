#include "verify/unpack/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "pack.h"

namespace kedge::verify {
namespace {

using Kind = Flaw::Kind;

// Gives at most `step` bytes before it asks the next time, as a buffer that was filled in pieces would be used.
struct Unpacked {
    std::string text;
    std::optional<Flaw> flaw;
    bool checksummed = false;
    std::uint64_t members = 0, bytes_in = 0, bytes_out = 0;
};

Unpacked unpack_all(Packing packing, std::string_view packed, std::size_t step = 1000, const Limits& limits = {},
                    Members members = Members::any) {
    const MemorySource source(as_bytes(packed));
    SourceStream stream(source);
    const auto unpacker = unpack(packing, stream, limits, members);
    std::string text;
    std::vector<std::byte> piece(step);
    for (;;) {
        const std::size_t count = unpacker->read(piece).value();
        text.append(reinterpret_cast<const char*>(piece.data()), count);
        if (count < step) break;
    }
    return {text,
            unpacker->flaw(),
            unpacker->checksummed(),
            unpacker->members(),
            unpacker->bytes_in(),
            unpacker->bytes_out()};
}

std::string sample() {
    std::string text;
    for (unsigned i = 0; i < 40'000; ++i) text += std::to_string(i * 2654435761u) + '\t' + std::to_string(i % 7) + '\n';
    return text;
}

class Unpack : public testing::TestWithParam<Packing> {};
INSTANTIATE_TEST_SUITE_P(Formats, Unpack, testing::Values(Packing::gzip, Packing::zlib, Packing::lz4, Packing::zstd),
                         [](const auto& format) { return std::string(to_string(format.param)); });

TEST_P(Unpack, GivesWhatWasPackedInWhateverSteps) {
    const std::string plain = sample();
    const std::string packed = pack(GetParam(), plain);
    for (const std::size_t step : {1u, 7u, 4096u, 1u << 20}) {
        const Unpacked result = unpack_all(GetParam(), packed, step);
        EXPECT_TRUE(result.text == plain) << "step " << step;
        EXPECT_FALSE(result.flaw) << result.flaw->says;
        EXPECT_TRUE(result.checksummed);
        EXPECT_EQ(result.members, 1u);
        EXPECT_EQ(result.bytes_in, packed.size());
        EXPECT_EQ(result.bytes_out, plain.size());
    }
}

TEST_P(Unpack, GivesNothingOfAnEmptyStreamAndIsContent) {
    const Unpacked result = unpack_all(GetParam(), pack(GetParam(), ""));
    EXPECT_EQ(result.text, "");
    EXPECT_FALSE(result.flaw);
    EXPECT_TRUE(result.checksummed);
}

TEST_P(Unpack, SaysThatAStreamWasCutWhereverItIs) {
    const std::string plain = sample().substr(0, 3000);
    const std::string packed = pack(GetParam(), plain);
    for (std::size_t size = 0; size < packed.size(); ++size) {
        const Unpacked result = unpack_all(GetParam(), packed.substr(0, size));
        ASSERT_TRUE(result.flaw) << "cut to " << size;
        EXPECT_EQ(result.flaw->kind, Kind::truncated) << "cut to " << size << ": " << result.flaw->says;
        EXPECT_TRUE(plain.starts_with(result.text));
        EXPECT_FALSE(result.checksummed);
    }
}

TEST_P(Unpack, TellsBytesBehindTheEndFromDamage) {
    for (const std::string junk : {"x", "junk", "more junk than any decoder reads ahead of itself, or should"}) {
        const std::string packed = pack(GetParam(), "content");
        const Unpacked result = unpack_all(GetParam(), packed + junk);
        ASSERT_TRUE(result.flaw) << junk;
        EXPECT_EQ(result.flaw->kind, Kind::trailing) << result.flaw->says;
        EXPECT_EQ(result.flaw->offset, packed.size());
        EXPECT_EQ(result.text, "content");
        EXPECT_FALSE(result.checksummed);
    }
}

// A decoder that reads ahead must give back what it read, also when its buffer was filled anew in between.
TEST_P(Unpack, FindsBytesBehindTheEndWhereverItsBufferEnds) {
    std::mt19937 random(1);
    std::string noise(200'000, ' ');  // does not pack, so that the packed size follows the plain one
    std::ranges::generate(noise, [&] { return static_cast<char>(random()); });
    const std::size_t buffer = 128u << 10;
    for (std::size_t size = buffer - 70; size < buffer + 10; ++size) {
        const std::string packed = pack(GetParam(), std::string_view(noise).substr(0, size));
        for (const std::string junk : {"12", "1234567"}) {
            const Unpacked result = unpack_all(GetParam(), packed + junk, 1 << 16);
            ASSERT_TRUE(result.flaw) << packed.size();
            EXPECT_EQ(result.flaw->kind, Kind::trailing);
            EXPECT_EQ(result.flaw->offset, packed.size());
        }
    }
}

// Which flips are found is a matter of the checksum: with one, all that change what is decoded.
TEST_P(Unpack, FindsEveryFlippedBitThatChangesTheContent) {
    const std::string plain = sample().substr(0, 1000);
    const std::string packed = pack(GetParam(), plain);
    for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
        std::string flipped = packed;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        const Unpacked result = unpack_all(GetParam(), flipped);
        EXPECT_TRUE(result.flaw || result.text == plain || !result.checksummed) << "bit " << bit;
    }
}

TEST_P(Unpack, SaysThatTheChecksumDoesNotFit) {
    std::string packed = pack(GetParam(), sample());
    // gzip ends with the length, the others with their checksum.
    char& last = packed[packed.size() - 1];
    last = static_cast<char>(last ^ 1);
    const Unpacked result = unpack_all(GetParam(), packed);
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::checksum) << result.flaw->says;
}

TEST_P(Unpack, StopsAtTheLimitOfOutput) {
    const Unpacked result =
        unpack_all(GetParam(), pack(GetParam(), std::string(1'000'000, 'a')), 1000, {.output_bytes_max = 10'000});
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::limit);
    EXPECT_LE(result.text.size(), 11'000u);
}

TEST_P(Unpack, StopsAtTheLimitOfTheRatio) {
    const std::string packed = pack(GetParam(), std::string(80 << 20, '\0'));
    const Unpacked result = unpack_all(GetParam(), packed, 1 << 16, {.ratio_max = 100});
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::limit);
    EXPECT_LE(result.text.size(), (64u << 20) + (1u << 17));
}

TEST_P(Unpack, TakesOneStreamWhereOnlyOneIsAllowed) {
    const std::string packed = pack(GetParam(), "one");
    EXPECT_FALSE(unpack_all(GetParam(), packed, 100, {}, Members::one).flaw);
    const Unpacked result = unpack_all(GetParam(), packed + packed, 100, {}, Members::one);
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::trailing);
    EXPECT_EQ(result.text, "one");
}

// Found by fuzzing: the library said that it had used one byte more than there was.
TEST(UnpackDamaged, InItsLastBytesIsDamaged) {
    constexpr std::string_view packed(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\xeb\x5f\xc2\x1a\x1e\xc0\x01"
        "\x00\x00\xe7\xef\x00\x00\x00\xc2\xa0\xac\x8a\xeb\x00\x00",
        41);
    const Unpacked result = unpack_all(Packing::gzip, packed, 401);
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::damaged);
    EXPECT_EQ(result.bytes_in, packed.size());
}

TEST(UnpackSeveral, ReadsStreamsOneBehindTheOther) {
    for (const Packing packing : {Packing::gzip, Packing::lz4, Packing::zstd}) {
        const std::string one = pack(packing, "one,"), empty = pack(packing, ""), two = pack(packing, sample());
        for (const std::size_t step : {1u, 3u, 100'000u}) {
            const Unpacked result = unpack_all(packing, one + empty + two + one, step);
            EXPECT_FALSE(result.flaw) << result.flaw->says;
            EXPECT_TRUE(result.text == "one," + sample() + "one,");
            EXPECT_EQ(result.members, 4u);
        }
        const Unpacked cut = unpack_all(packing, one + two.substr(0, two.size() - 1));
        ASSERT_TRUE(cut.flaw);
        EXPECT_EQ(cut.flaw->kind, Kind::truncated);
    }
}

TEST(UnpackUnproved, SaysThatAFrameCarriesNoChecksum) {
    for (const Packing packing : {Packing::lz4, Packing::zstd}) {
        const Unpacked result = unpack_all(packing, pack(packing, sample(), Checksum::absent));
        EXPECT_FALSE(result.flaw);
        EXPECT_TRUE(result.text == sample());
        EXPECT_FALSE(result.checksummed);
        const std::string mixed = pack(packing, "a") + pack(packing, "b", Checksum::absent);
        EXPECT_FALSE(unpack_all(packing, mixed).checksummed);
    }
    EXPECT_FALSE(unpack_all(Packing::none, "plain").checksummed);
    EXPECT_EQ(unpack_all(Packing::none, "plain", 2).text, "plain");
}

TEST(UnpackLimits, RefusesAZstdWindowThatIsTooLarge) {
    const std::string packed = pack(Packing::zstd, std::string(4 << 20, 'a') + sample());
    EXPECT_FALSE(unpack_all(Packing::zstd, packed).flaw);
    const Unpacked result = unpack_all(Packing::zstd, packed, 1000, {.window_bytes_max = 1 << 16});
    ASSERT_TRUE(result.flaw);
    EXPECT_EQ(result.flaw->kind, Kind::limit);
}

TEST(PackingOf, GoesByTheMagic) {
    for (const Packing packing : {Packing::gzip, Packing::lz4, Packing::zstd})
        EXPECT_EQ(packing_of(as_bytes(pack(packing, "x"))), packing);
    EXPECT_EQ(packing_of(as_bytes("PGDMP")), Packing::none);
    EXPECT_EQ(packing_of(as_bytes("\x1f\x8b")), Packing::none);
    EXPECT_EQ(packing_of({}), Packing::none);
}

}  // namespace
}  // namespace kedge::verify
