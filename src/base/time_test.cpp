#include "base/time.h"

#include <gtest/gtest.h>

namespace kedge {
namespace {

using namespace std::chrono_literals;

TEST(Moment, IsWrittenInUtcWithMilliseconds) {
    EXPECT_EQ(to_string(Moment{1'795'442'412'481'999us}), "2026-11-23T14:00:12.481Z");
}

TEST(Moment, IsReadBackFromEveryZone) {
    EXPECT_EQ(*parse_moment("2026-11-23T14:00:12.481Z"), Moment{1'795'442'412'481'000us});
    EXPECT_EQ(*parse_moment("2026-11-23T15:30:12.481+01:30"), Moment{1'795'442'412'481'000us});
    EXPECT_EQ(*parse_moment("2026-11-23 09:00:12-05:00"), Moment{1'795'442'412'000'000us});
}

TEST(Moment, RefusesWhatHasNoZoneOrNoSuchDay) {
    for (const char* text : {"2026-11-23T14:00:12", "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "today", "",
                             "2026-11-23T14:00:12.Z", "2026-11-23T14:00:12+1:00", "2026-11-23T14:00:12Zx"})
        EXPECT_FALSE(parse_moment(text)) << text;
}

TEST(Span, IsReadWithItsUnitAndWrittenInTheLargestThatDividesIt) {
    EXPECT_EQ(*parse_span("250ms"), 250ms);
    EXPECT_EQ(*parse_span("1.5s"), 1500ms);
    EXPECT_EQ(*parse_span("7d"), 7 * 24h);
    EXPECT_EQ(to_string(Span{90s}), "90s");
    EXPECT_EQ(to_string(Span{2h}), "2h");
    EXPECT_EQ(to_string(Span{0}), "0s");
}

TEST(Span, RefusesWhatHasNoUnitOrIsNegative) {
    for (const char* text : {"30", "-5s", "s", "", "5 s", "1m30s", "nan", "1e999s", "99999999999d", "5w"})
        EXPECT_FALSE(parse_span(text)) << text;
}

TEST(Span, ReadsAsAPersonWouldSayIt) {
    EXPECT_EQ(readable(412ms), "412 ms");
    EXPECT_EQ(readable(7400ms), "7.4 s");
    EXPECT_EQ(readable(312s), "5m12s");
    EXPECT_EQ(readable(2h + 5min), "2h05m");
}

}  // namespace
}  // namespace kedge
