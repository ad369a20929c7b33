#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

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

TEST_F(Files, StoreReadsNothingBehindALinkAndNothingTooLarge) {
    const auto store = FileStore::create("backups", root_ + "/store");
    ASSERT_TRUE((*store)->write("base/one", "12345", soon()));
    EXPECT_EQ((*store)->read("base/two", 100, soon()).error().fault, Fault::not_found);
    EXPECT_EQ((*store)->read("base/one", 4, soon()).error().fault, Fault::invalid_input);
    EXPECT_EQ(*(*store)->read("base/one", 5, soon()), "12345");
    std::ofstream(root_ + "/secret") << "secret";
    fs::create_symlink(root_ + "/secret", root_ + "/store/base/link");
    EXPECT_EQ((*store)->read("base/link", 100, soon()).error().fault, Fault::refused);
    EXPECT_EQ((*store)->write("base/link", "x", soon()).error().fault, Fault::conflict);
    EXPECT_EQ((*store)->write("base/one/below", "x", soon()).error().fault, Fault::refused);
    EXPECT_EQ((*store)->read("base", 100, soon()).error().fault, Fault::refused);
    EXPECT_EQ((*store)->list("base/", soon())->size(), 1u);  // the link is no object
}

TEST_F(Files, StoreShowsNothingThatIsStillBeingWritten) {
    const auto store = FileStore::create("backups", root_ + "/store");
    ASSERT_TRUE((*store)->write("one", "1", soon()));
    std::ofstream(root_ + "/store/.kedge-new-17-1") << "half";
    EXPECT_EQ((*store)->list("", soon())->size(), 1u);
    EXPECT_EQ((*store)->write(".kedge-new-17-1", "x", soon()).error().fault, Fault::invalid_input);
}

TEST_F(Files, StoreKeepsOneOfManyWhoWriteTheSameName) {
    const auto store = FileStore::create("backups", root_ + "/store");
    std::atomic<int> won = 0;
    {
        std::vector<std::jthread> writers;
        for (int i = 0; i < 6; ++i)
            writers.emplace_back([&, i] {
                const auto written = (*store)->write("wal/0001", std::to_string(i), soon());
                if (written) ++won;
            });
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ((*store)->list("", soon())->size(), 1u);
}

TEST_F(Files, ChannelGoesOnAfterALineThatACrashLeftTorn) {
    std::ofstream(root_ + "/incidents.jsonl") << R"({"key":"a","title":"cut o)";
    const auto channel = FileChannel::create("incidents", root_ + "/incidents.jsonl");
    ASSERT_TRUE((*channel)->send({"b", "info", "it ends", "", SystemClock().now()}, soon()));
    EXPECT_EQ(*(*channel)->delivered("a", soon()), Truth::no);
    EXPECT_EQ(*(*channel)->delivered("b", soon()), Truth::yes);
}

TEST_F(Files, ChannelDeliversOneOfManyNoticesWithTheSameKey) {
    const auto channel = FileChannel::create("incidents", root_ + "/incidents.jsonl");
    {
        std::vector<std::jthread> senders;
        for (int i = 0; i < 6; ++i)
            senders.emplace_back([&] {
                EXPECT_TRUE((*channel)->send({"k", "info", "once", "", SystemClock().now()}, soon()));
            });
    }
    std::ifstream file(root_ + "/incidents.jsonl");
    EXPECT_EQ(std::count(std::istreambuf_iterator<char>(file), {}, '\n'), 1);
}

TEST_F(Files, ChannelSaysThatItCannotWrite) {
    fs::create_directories(root_ + "/incidents.jsonl");
    const auto channel = FileChannel::create("incidents", root_ + "/incidents.jsonl");
    const auto failed = (*channel)->send({"k", "info", "", "", {}}, soon());
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("channel incidents: " + root_ + "/incidents.jsonl"), std::string::npos);
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

TEST_F(Files, LogsReadAsFarBackAsTheyMustAndNoFurther) {
    std::ofstream file(root_ + "/log");
    for (int i = 0; i < 20; ++i)
        file << R"({"ts":"2026-11-23T10:00:)" << (i < 10 ? "0" : "") << i << R"(Z","region":"us-west-2"})"
             << "\n";
    const std::string other =
        R"({"ts":"2026-11-23T11:00:00Z","region":"us-east-1","text":")" + std::string(900, 'x') + "\"}\n";
    for (int i = 0; i < 500; ++i) file << other;  // half a megabyte of another region's
    file.close();
    const auto logs = FileLogs::create("logs", {{"us-west-2", {root_ + "/log", root_ + "/absent"}}});
    const auto lines = (*logs)->newest("us-west-2", 3, soon());
    ASSERT_TRUE(lines);
    ASSERT_EQ(lines->size(), 3u);
    EXPECT_EQ(lines->front().time, *parse_moment("2026-11-23T10:00:19Z"));
    EXPECT_EQ((*logs)->newest("us-west-2", 1000, soon())->size(), 20u);
    EXPECT_TRUE((*logs)->newest("us-west-2", -1, soon())->empty());
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
    std::ofstream(root_ + "/samples/orders.json") << "{\"version\":1,";
    EXPECT_EQ(samples.latest("orders").error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace kedge
