#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "os/clock.h"
#include "targets/files/file_channel.h"
#include "targets/files/file_logs.h"
#include "targets/files/file_samples.h"
#include "targets/files/file_store.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Files : public ::testing::Test {
protected:
    Files() {
        std::string pattern = (fs::temp_directory_path() / "kedge-files-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
    }
    ~Files() override { fs::remove_all(root_); }
    Moment soon() const { return SystemClock().now() + 5s; }
    std::string root_;
};

TEST_F(Files, StoreGivesBackWhatWasWrittenAndListsItByName) {
    const auto store = FileStore::create("backups", root_ + "/store");
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->list("", soon()).error().fault, Fault::not_found);
    ASSERT_TRUE((*store)->write("wal/0002", "two", soon()));
    ASSERT_TRUE((*store)->write("wal/0001", "one", soon()));
    ASSERT_TRUE((*store)->write("wal/0001", "one", soon()));
    EXPECT_EQ((*store)->write("wal/0001", "other", soon()).error().fault, Fault::conflict);
    EXPECT_EQ(*(*store)->read("wal/0001", 100, soon()), "one");
    const auto objects = (*store)->list("wal/", soon());
    ASSERT_TRUE(objects);
    ASSERT_EQ(objects->size(), 2u);
    EXPECT_EQ(objects->front().name, "wal/0001");
    EXPECT_EQ(objects->front().bytes, 3u);
}

TEST_F(Files, StoreNeverLeavesItsDirectory) {
    const auto store = FileStore::create("backups", root_ + "/store");
    fs::create_directories(root_ + "/store");
    fs::create_directory_symlink(root_, root_ + "/store/link");
    for (const char* name : {"../secret", "/etc/passwd", "a//b", "a/../b", "", ".", "link/x"}) {
        EXPECT_FALSE((*store)->read(name, 100, soon())) << name;
        EXPECT_FALSE((*store)->write(name, "x", soon())) << name;
    }
    EXPECT_FALSE(fs::exists(root_ + "/secret"));
    EXPECT_FALSE(fs::exists(root_ + "/x"));
}

TEST_F(Files, ChannelDeliversANoticeOnce) {
    const auto channel = FileChannel::create("incidents", root_ + "/incidents.jsonl");
    ASSERT_TRUE(channel);
    EXPECT_EQ(*(*channel)->delivered("r-1/tell", soon()), Truth::no);
    const Notice notice{"r-1/tell", "critical", "it begins", "do not start anything\nby hand", SystemClock().now()};
    ASSERT_TRUE((*channel)->send(notice, soon()));
    ASSERT_TRUE((*channel)->send(notice, soon()));
    EXPECT_EQ(*(*channel)->delivered("r-1/tell", soon()), Truth::yes);
    std::ifstream file(root_ + "/incidents.jsonl");
    EXPECT_EQ(std::count(std::istreambuf_iterator<char>(file), {}, '\n'), 1);
}

TEST_F(Files, LogsGiveTheNewestWholeLineOfTheRegion) {
    fs::create_directories(root_ + "/a");
    std::ofstream(root_ + "/a/one.log") << R"({"ts":"2026-11-23T10:00:00Z","region":"us-west-2"})"
                                        << "\nnot json\n"
                                        << R"({"ts":"2026-11-23T10:00:05Z","region":"us-east-1"})"
                                        << "\n"
                                        << R"({"ts":"2026-11-23T10:00:09Z","region":"us-west-2")";
    std::ofstream(root_ + "/a/two.log") << R"({"ts":"2026-11-23T10:00:03Z","region":"us-west-2"})"
                                        << "\n";
    const auto logs = FileLogs::create("logs", {{"us-west-2", {root_ + "/a/*.log"}}});
    ASSERT_TRUE(logs);
    const auto lines = (*logs)->newest("us-west-2", 5, soon());
    ASSERT_TRUE(lines);
    ASSERT_EQ(lines->size(), 2u);
    EXPECT_EQ(lines->front().time, *parse_moment("2026-11-23T10:00:03Z"));
    EXPECT_EQ((*logs)->newest("us-east-1", 1, soon()).error().fault, Fault::not_found);
}

TEST_F(Files, SamplesComeBackAsTheyWereWritten) {
    const FileSamples samples(root_ + "/samples");
    EXPECT_FALSE(samples.latest("orders")->has_value());
    LagSample sample{.at = *parse_moment("2026-11-23T10:00:00Z"), .primary = "us-east-1"};
    sample.acknowledged =
        Heartbeat{.sequence = 7, .written = *parse_moment("2026-11-23T09:59:59.5Z"), .position = Lsn{0x5A10}};
    sample.sites["us-west-2"] = {
        .reachable = Truth::yes, .says = "a standby", .primary = Truth::no, .timeline = 3, .replayed = Lsn{0x5A00}};
    ASSERT_TRUE(samples.write("orders", sample));
    const auto read = samples.latest("orders");
    ASSERT_TRUE(read && *read);
    EXPECT_EQ(to_json(**read), to_json(sample));
    EXPECT_EQ((*read)->acknowledged->position, Lsn{0x5A10});
    EXPECT_EQ((*read)->sites.at("us-west-2").writable, Truth::unknown);
    std::ofstream(root_ + "/samples/orders.json") << "{}";
    EXPECT_EQ(samples.latest("orders").error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace kedge
