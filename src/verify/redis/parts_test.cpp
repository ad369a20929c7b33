#include <gtest/gtest.h>

#include <random>

#include "verify/redis/blobs.h"
#include "verify/redis/crc64.h"
#include "verify/redis/lzf.h"
#include "verify/redis/rdb_writer_for_tests.h"

namespace kedge::verify {
namespace {

std::string noise(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::string text(count, 0);
    for (char& letter : text) letter = static_cast<char>(random());
    return text;
}

TEST(Crc64, HasTheCheckValueOfItsDefinition) {
    EXPECT_EQ(crc64(0, as_bytes("123456789")), 0xe9c6d914c4b8d9ca);
    EXPECT_EQ(crc64(0, {}), 0u);
}

TEST(Crc64, IsTheSameByFoldingAndByTables) {
    const std::string text = noise(5000, 1);
    for (std::size_t begin = 0; begin < 20; ++begin)
        for (std::size_t count : {0, 1, 7, 8, 15, 16, 127, 128, 129, 143, 144, 255, 256, 257, 1000, 4900}) {
            const Bytes part = as_bytes(text).subspan(begin, count);
            ASSERT_EQ(crc64(0x123456789abcdef, part), crc64_by_tables(0x123456789abcdef, part))
                << begin << " " << count;
        }
}

TEST(Crc64, OfTwoStretchesIsJoined) {
    const std::string text = noise(3000, 2);
    for (std::size_t cut : {0, 1, 5, 128, 1500, 2999, 3000}) {
        const Bytes whole = as_bytes(text);
        EXPECT_EQ(crc64_joined(crc64(0, whole.first(cut)), crc64(0, whole.subspan(cut)), whole.size() - cut),
                  crc64(0, whole));
    }
}

// Unpacks by both ways, which must agree; "" on a fault.
std::string unpacked(const std::string& packed, std::size_t size) {
    std::string out(size, 0);
    const auto fault = unpack_lzf(as_bytes(packed), std::as_writable_bytes(std::span(out)));
    LzfWalk walk(size);
    for (const char& letter : packed) walk.take(as_bytes(std::string_view(&letter, 1)));
    EXPECT_EQ(walk.end().has_value(), fault.has_value());
    LzfWalk at_once(size);
    at_once.take(as_bytes(packed));
    EXPECT_EQ(at_once.end().has_value(), fault.has_value());
    return fault ? "" : out;
}

TEST(Lzf, UnpacksLiteralsAndReferencesOfEveryDistance) {
    const std::string twenty = "abcdefghijklmnopqrst";
    for (unsigned distance = 1; distance <= 20; ++distance) {
        std::string packed = '\x13' + twenty;
        packed += {'\xe0', 91, static_cast<char>(distance - 1)};  // 100 bytes
        std::string expected = twenty;
        for (int i = 0; i < 100; ++i) expected += expected[expected.size() - distance];
        EXPECT_EQ(unpacked(packed, 120), expected) << distance;
        EXPECT_EQ(unpacked(packed + std::string("\x00z", 2), 121), expected + "z") << distance;
    }
}

TEST(Lzf, RefusesWhatDoesNotFit) {
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a\x20\x01",
                                   4),
                       4),
              "");  // a reference before the start
    EXPECT_EQ(unpacked(std::string("\x05"
                                   "ab",
                                   3),
                       6),
              "");  // literals that are cut
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a\x20",
                                   3),
                       4),
              "");  // a reference that is cut
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a\xe0\x05",
                                   4),
                       15),
              "");
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a",
                                   2),
                       2),
              "");  // too short
    EXPECT_EQ(unpacked(std::string("\x01"
                                   "ab",
                                   3),
                       1),
              "");  // too long
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a\x20\x00",
                                   4),
                       3),
              "");
    EXPECT_EQ(unpacked(std::string("\x00"
                                   "a\x20\x00",
                                   4),
                       4),
              "aaaa");
}

TEST(Lzf, NeverReadsOrWritesOutsideWhateverIsInIt) {
    for (unsigned seed = 0; seed < 3000; ++seed) {
        const std::string packed = noise(seed % 97, seed);
        unpacked(packed, 1 + seed % 301);
    }
}

std::string fault_of(Container container, Grouping grouping, const std::string& bytes) {
    BlobWalk walk;
    const auto fault = walk.check(container, grouping, as_bytes(bytes));
    return fault ? std::string(fault->says) : "";
}

TEST(Listpack, IsWalkedToItsEnd) {
    BlobWalk walk;
    const std::string good = listpack_of({"a", "bc", "def"});
    EXPECT_FALSE(walk.check(Container::listpack, Grouping::single, as_bytes(good)));
    EXPECT_EQ(walk.entries(), 3u);
    EXPECT_EQ(fault_of(Container::listpack, Grouping::pairs, listpack_of({"a", "1", "b", "1"})), "");
}

TEST(Listpack, SaysWhatIsWrong) {
    const std::string good = listpack_of({"a", "bc", "def"});
    const auto with = [&](std::size_t at, char byte) {
        std::string bad = good;
        bad[at] = byte;
        return fault_of(Container::listpack, Grouping::single, bad);
    };
    EXPECT_EQ(with(0, 1), "a listpack states another length");
    EXPECT_EQ(with(4, 2), "a listpack states another number of entries");
    EXPECT_EQ(with(8, 9), "an entry of a listpack has a wrong length behind it");
    EXPECT_EQ(with(6, '\xbf'), "an entry of a listpack reaches over its end");
    EXPECT_EQ(with(6, '\xff'), "an entry of a listpack has an unknown encoding");
    EXPECT_EQ(with(good.size() - 1, 0), "a listpack has no end mark");
    EXPECT_EQ(fault_of(Container::listpack, Grouping::unique, listpack_of({"a", "b", "a"})), "a member occurs twice");
    EXPECT_EQ(fault_of(Container::listpack, Grouping::pairs, listpack_of({"a", "1", "a", "2"})),
              "a member occurs twice");
    EXPECT_EQ(fault_of(Container::listpack, Grouping::pairs, listpack_of({"a"})),
              "a container of pairs has an odd number of entries");
    EXPECT_EQ(fault_of(Container::listpack, Grouping::single, "abc"), "a listpack is shorter than its header");
}

TEST(Ziplist, SaysWhatIsWrong) {
    const std::string good = ziplist_of({"a", "bc", "def"});
    EXPECT_EQ(fault_of(Container::ziplist, Grouping::single, good), "");
    const auto with = [&](std::size_t at, char byte) {
        std::string bad = good;
        bad[at] = byte;
        return fault_of(Container::ziplist, Grouping::single, bad);
    };
    EXPECT_EQ(with(0, 1), "a ziplist states another length");
    EXPECT_EQ(with(4, 10), "a ziplist points to another last entry");
    EXPECT_EQ(with(8, 2), "a ziplist states another number of entries");
    EXPECT_EQ(with(13, 9), "an entry of a ziplist has a wrong length before it");
    EXPECT_EQ(with(11, 63), "an entry of a ziplist reaches over its end");
    EXPECT_EQ(with(11, '\xc1'), "an entry of a ziplist cannot be read");
    EXPECT_EQ(with(good.size() - 1, 0), "a ziplist has no end mark");
}

TEST(Intset, WantsAscendingMembersOfOneWidth) {
    const auto set = [](std::uint32_t width, std::uint32_t count, const std::string& members) {
        return fault_of(Container::intset, Grouping::unique, little_endian(width) + little_endian(count) + members);
    };
    const std::string two = little_endian(std::int16_t{-5}) + little_endian(std::int16_t{7});
    EXPECT_EQ(set(2, 2, two), "");
    EXPECT_EQ(set(2, 3, two), "an intset states another number of members");
    EXPECT_EQ(set(3, 2, two), "an intset has members of an unknown width");
    EXPECT_EQ(set(2, 2, two.substr(2) + two.substr(0, 2)), "the members of an intset do not ascend");
    EXPECT_EQ(set(8, 1, little_endian(INT64_MIN)), "");
}

TEST(Zipmap, IsWalkedWithItsUnusedBytes) {
    const std::string good = std::string(
        "\x02\x01"
        "a\x02\x01"
        "xx-\x01"
        "b\x00\x00\xff",
        13);
    EXPECT_EQ(fault_of(Container::zipmap, Grouping::pairs, good), "");
    EXPECT_EQ(fault_of(Container::zipmap, Grouping::pairs, '\x03' + good.substr(1)),
              "a zipmap states another number of fields");
    EXPECT_EQ(fault_of(Container::zipmap, Grouping::pairs, good.substr(0, 12)), "a zipmap has no end mark");
    std::string bad = good;
    bad[3] = 50;
    EXPECT_EQ(fault_of(Container::zipmap, Grouping::pairs, bad), "an entry of a zipmap reaches over its end");
}

TEST(StreamNode, HoldsWhatItStates) {
    const std::string good = stream_node_of("kind", "vote");
    EXPECT_EQ(fault_of(Container::listpack, Grouping::stream_entries, good), "");
    std::string bad = good;
    bad[6] = 2;  // count
    EXPECT_EQ(fault_of(Container::listpack, Grouping::stream_entries, bad),
              "a stream's node states another number of entries");
    bad = good;
    bad[10] = 3;  // fields of the master entry
    EXPECT_EQ(fault_of(Container::listpack, Grouping::stream_entries, bad),
              "the entries of a stream's node do not fit together");
}

TEST(Containers, AreSafeWhateverIsInThem) {
    BlobWalk walk;
    const std::string samples[] = {listpack_of({"a", "bc", "def", "g"}), ziplist_of({"a", "bc", "def", "g"}),
                                   stream_node_of("kind", "vote")};
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = samples[random() % 3];
        for (auto changes = 1 + random() % 3; changes > 0; --changes)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        for (const Container container :
             {Container::listpack, Container::ziplist, Container::intset, Container::zipmap})
            walk.check(container, container == Container::listpack ? Grouping::stream_entries : Grouping::pairs,
                       as_bytes(bytes));
    }
}

}  // namespace
}  // namespace kedge::verify
