#include "journal/chain.h"

#include <gtest/gtest.h>

namespace kedge {
namespace {

Entry entry() {
    return {.position = 1,
            .run = "r-1",
            .epoch = 1,
            .kind = "run.started",
            .body = {{"plan", "regional-failover"}},
            .time = Moment{Span{1'790'000'000'123'456}},
            .digest = {}};
}

// The figure was computed apart, with Python's hashlib over the bytes that docs/formats/journal.md describes.
TEST(Chain, HashesTheBytesThatAreDocumented) {
    EXPECT_EQ(entry_digest(entry(), ""), "4be62bc0fffd9a179b2dc82b589877413efd15aacc440ec9a02c032c05538594");
    Entry second = entry();
    second.position = 2;
    EXPECT_EQ(entry_digest(second, entry_digest(entry(), "")),
              "ccb3ac8f5c7be8174e085521c7d32714cceafb0b8b6c29dc35ebddabdbe1901f");
}

TEST(Chain, EveryFieldChangesTheDigest) {
    const std::string same = entry_digest(entry(), "");
    Entry changed = entry();
    changed.run = "r-2";
    EXPECT_NE(entry_digest(changed, ""), same);
    changed = entry();
    changed.epoch = 2;
    EXPECT_NE(entry_digest(changed, ""), same);
    changed = entry();
    changed.kind = "run.ended";
    EXPECT_NE(entry_digest(changed, ""), same);
    changed = entry();
    changed.time += Span{1};
    EXPECT_NE(entry_digest(changed, ""), same);
    EXPECT_NE(entry_digest(entry(), std::string(64, '0')), same);
    // Letters that move from one field to the next are noticed.
    changed = entry();
    changed.run = "r-1r";
    changed.kind = "un.started";
    EXPECT_NE(entry_digest(changed, ""), same);
}

TEST(Chain, WalksOnlyAWholeChain) {
    const std::string digest = entry_digest(entry(), "");
    const std::string body = dump(entry().body);
    const ChainLink link{1, "r-1", 1, "run.started", entry().time, body};
    ChainWalk walk;
    EXPECT_TRUE(walk.step(link, digest));
    EXPECT_EQ(walk.head(), digest);
    EXPECT_EQ(walk.step(link, digest).error().message, "journal entry 2 is missing: entry 1 stands in its place");
}

}  // namespace
}  // namespace kedge
