#include "lab/archive.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "os/files.h"

namespace kedge::lab {
namespace {

const std::string segment = "000000010000000000000001";

class Archive : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/kedge-archive-XXXXXX";
        layout_.root = mkdtemp(name);
        ASSERT_TRUE(make_directories(layout_.wal_store()));
        ASSERT_TRUE(write_file_atomically(source(), "wal"));
    }
    void TearDown() override { EXPECT_TRUE(remove_tree(layout_.root)); }

    std::string source() { return layout_.root + "/source"; }
    Result<void> archive(const std::string& name = segment) {
        return archive_segment(layout_, Site::east, source(), name);
    }

    Layout layout_;
};

TEST_F(Archive, GivesBackWhatItTook) {
    ASSERT_TRUE(archive());
    ASSERT_TRUE(restore_segment(layout_, Site::west, segment, layout_.root + "/back"));
    EXPECT_EQ(*read_file(layout_.root + "/back"), "wal");
}

TEST_F(Archive, TakesTheSameAgainAndNeverAnother) {
    ASSERT_TRUE(archive());
    EXPECT_TRUE(archive()) << "a crash may have come between the copy and the answer";
    ASSERT_TRUE(write_file_atomically(source(), "of another timeline"));
    EXPECT_EQ(archive().error().fault, Fault::conflict);
    EXPECT_EQ(*read_file(layout_.wal_store() + "/" + segment), "wal");
}

TEST_F(Archive, TakesNothingBeyondItsQuota) {
    ASSERT_TRUE(write_file_atomically(layout_.archive_quota(), "4\n"));
    EXPECT_TRUE(archive());
    EXPECT_EQ(archive("000000010000000000000002").error().fault, Fault::unavailable);
    EXPECT_FALSE(exists(layout_.wal_store() + "/000000010000000000000002"));
}

TEST_F(Archive, IsNotReachedFromASiteThatIsCutOff) {
    ASSERT_TRUE(write_file_atomically(layout_.store_barrier(Site::east), ""));
    EXPECT_EQ(archive().error().fault, Fault::unavailable);
    EXPECT_TRUE(archive_segment(layout_, Site::west, source(), segment));
    EXPECT_EQ(restore_segment(layout_, Site::east, segment, layout_.root + "/back").error().fault, Fault::unavailable);
}

TEST_F(Archive, SaysWhatItDoesNotHave) {
    EXPECT_EQ(restore_segment(layout_, Site::east, segment, layout_.root + "/back").error().fault, Fault::not_found);
    EXPECT_FALSE(exists(layout_.root + "/back"));
}

TEST_F(Archive, RefusesNamesThatLeadElsewhere) {
    for (const char* name : {"", "../escape", ".hidden", "a/b"})
        EXPECT_EQ(archive(name).error().fault, Fault::invalid_input);
}

}  // namespace
}  // namespace kedge::lab
