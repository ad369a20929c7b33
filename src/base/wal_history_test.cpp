#include "base/wal_history.h"

#include <gtest/gtest.h>

namespace kedge {
namespace {

constexpr std::uint64_t segment_bytes = 1u << 20;

TimelineHistory history(std::string_view text, std::uint32_t timeline) {
    return parse_history(text, timeline).value();
}

TEST(TimelineHistory, OfTheFirstTimelineHasOneStretchWithoutEnd) {
    EXPECT_EQ(history("", 1), (TimelineHistory{{.timeline = 1}}));
}

TEST(TimelineHistory, ReadsOneStretchForEachLine) {
    const auto read = history("1\t0/B0A518\tno recovery target specified\n\n2\t1/0\tbefore 2026-11-23\n", 4);
    ASSERT_EQ(read.size(), 3u);
    EXPECT_EQ(read[0], (TimelineStretch{1, Lsn{0}, Lsn{0xB0A518}}));
    EXPECT_EQ(read[1], (TimelineStretch{2, Lsn{0xB0A518}, Lsn{0x1'0000'0000}}));
    EXPECT_EQ(read[2], (TimelineStretch{.timeline = 4, .begin = Lsn{0x1'0000'0000}}));
}

TEST(TimelineHistory, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"one\t0/1\n", "1\tB0A518\n", "1\n", "3\t0/10\tx\n", "1\t0/20\tx\n2\t0/10\tx\n"}) {
        const auto read = parse_history(text, 3);
        ASSERT_FALSE(read.has_value()) << text;
        EXPECT_EQ(read.error().fault, Fault::corrupt);
    }
}

TEST(Fork, LiesWhereTheOtherLeft) {
    const auto fork = find_fork(history("", 1), history("1\t0/500\tx\n", 2));
    ASSERT_TRUE(fork.has_value());
    EXPECT_EQ(fork->stretch, 0u);
    EXPECT_EQ(fork->at, Lsn{0x500});
}

TEST(Fork, LiesAtTheEarlierOfTwoLeavings) {
    const auto fork = find_fork(history("1\t0/700\tx\n", 2), history("1\t0/500\tx\n", 3));
    EXPECT_EQ(fork.value().at, Lsn{0x500});
    EXPECT_EQ(find_fork(history("1\t0/500\tx\n", 3), history("1\t0/700\tx\n", 2)).value().at, Lsn{0x500});
}

TEST(Fork, IsOfTheLastTimelineInCommon) {
    const auto fork = find_fork(history("1\t0/500\tx\n", 2), history("1\t0/500\tx\n2\t0/900\tx\n", 3));
    EXPECT_EQ(fork.value().stretch, 1u);
    EXPECT_EQ(fork.value().at, Lsn{0x900});
}

// The same timeline number can be taken twice, by two promotions that knew nothing of each other.
TEST(Fork, IsNotFooledByANumberTakenTwice) {
    const auto fork = find_fork(history("1\t0/500\tx\n", 2), history("1\t0/600\tx\n", 2));
    EXPECT_EQ(fork.value().stretch, 0u);
    EXPECT_EQ(fork.value().at, Lsn{0x500});
}

TEST(SegmentName, CountsInSegmentsOfItsSize) {
    EXPECT_EQ(segment_name(1, Lsn{0x900028}, segment_bytes), "000000010000000000000009");
    EXPECT_EQ(segment_name(0x1F, Lsn{0x1'0010'0000}, segment_bytes), "0000001F0000000100000001");
    EXPECT_EQ(segment_name(2, Lsn{0x1'0100'0000}, 16 * segment_bytes), "000000020000000100000001");
    EXPECT_EQ(timeline_of_segment("0000001F0000000100000001"), 0x1Fu);
}

TEST(SegmentName, IsNotThatOfOtherFiles) {
    EXPECT_TRUE(is_segment_name("000000010000000000000009"));
    for (const char* name : {"000000010000000000000009.partial", "00000002.history", "archive_status",
                             "00000001000000000000000A.00000028.backup", "00000001000000000000000a", ""})
        EXPECT_FALSE(is_segment_name(name)) << name;
}

}  // namespace
}  // namespace kedge
