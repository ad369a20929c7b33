#include "response/lookout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

// What one pass saw: the primary in `east` acknowledged heartbeat `written`, the standby in `west` has `replayed`.
Observation pass(std::int64_t written, std::optional<std::int64_t> replayed) {
    Observation seen{.database = "orders"};
    seen.writers = {"east"};
    seen.sample.primary = "east";
    seen.sample.acknowledged = Heartbeat{.sequence = written};
    seen.sample.sites["east"].heartbeat = Heartbeat{.sequence = written};
    if (replayed)
        seen.sample.sites["west"].heartbeat = Heartbeat{.sequence = *replayed};
    else
        seen.sample.sites["west"] = {};
    return seen;
}
Observation without_primary(std::int64_t replayed) {
    Observation seen = pass(0, replayed);
    seen.sample.primary.clear();
    seen.sample.acknowledged = Heartbeat{.sequence = 9};
    return seen;
}

TEST(Streams, AreSeparatedOnceAStandbyStandsStillWhileItsPrimaryGoesOn) {
    Streams streams;
    for (std::int64_t beat = 1; beat <= 10; ++beat) streams.take(pass(beat, beat - 1));
    EXPECT_FALSE(streams.separated()) << "it follows, a heartbeat behind";
    streams.take(pass(11, 9));
    streams.take(pass(12, 9));
    EXPECT_FALSE(streams.separated()) << "two looks may be a hiccup";
    streams.take(pass(13, 9));
    ASSERT_TRUE(streams.separated());
    EXPECT_THAT(*streams.separated(), testing::HasSubstr("orders in west"));
    streams.take(pass(14, 13));
    EXPECT_FALSE(streams.separated()) << "it follows again";
}

TEST(Streams, SayNothingWhereThePrimaryOrTheStandbyIsNotSeen) {
    Streams streams;
    for (std::int64_t beat = 1; beat <= 3; ++beat) streams.take(pass(beat, beat));
    for (int i = 0; i < 9; ++i) streams.take(without_primary(3));
    EXPECT_FALSE(streams.separated()) << "a dead primary writes nothing that could be followed";
    for (std::int64_t beat = 10; beat <= 20; ++beat) streams.take(pass(beat, std::nullopt));
    EXPECT_FALSE(streams.separated()) << "a standby that is not seen may follow";
}

}  // namespace
}  // namespace kedge
