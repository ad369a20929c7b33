#include "os/line_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "os/files.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

struct LineFiles : testing::Test {
    LineFiles() {
        std::string name = "/tmp/line-file-test-XXXXXX";
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        directory = name;
        path = directory + "/lines";
    }
    ~LineFiles() override { EXPECT_TRUE(remove_tree(directory)); }
    std::string directory, path;
};

TEST_F(LineFiles, AppendsWholeLines) {
    EXPECT_TRUE(LineFile::open(path, within(1s))->append("one"));
    EXPECT_TRUE(LineFile::open(path, within(1s))->append("two"));
    EXPECT_EQ(*read_file(path), "one\ntwo\n");
}

TEST_F(LineFiles, EndsALineThatACrashLeftTorn) {
    std::ofstream(path) << "one\ntor";
    EXPECT_TRUE(LineFile::open(path, within(1s))->append("two"));
    EXPECT_EQ(*read_file(path), "one\ntor\ntwo\n");
}

TEST_F(LineFiles, WaitsForAnotherOnlyUntilTheDeadline) {
    auto held = LineFile::open(path, within(1s));
    const auto refused = LineFile::open(path, within(30ms));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::unavailable);
    EXPECT_EQ(refused.error().message, path + ": another process holds it");
    std::jthread other([&] { EXPECT_TRUE(LineFile::open(path, within(5s))->append("two")); });
    EXPECT_TRUE(held->append("one"));
    held = Error{Fault::not_found, "given up"};
    other.join();
    EXPECT_EQ(*read_file(path), "one\ntwo\n");
}

TEST_F(LineFiles, SaysWhyItCannotBeUsed) {
    EXPECT_EQ(LineFile::open(directory + "/no/lines", within(1s)).error().fault, Fault::not_found);
    EXPECT_FALSE(LineFile::open(directory, within(1s)));
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(LineFile::open(path, within(1s)).error().fault, Fault::refused);
    EXPECT_EQ(read_last_lines(path, 10).error().fault, Fault::refused);
    EXPECT_EQ(LineFile::open("/dev/full", within(1s)).error().fault, Fault::refused);
}

TEST_F(LineFiles, ReadsTheLastWholeLines) {
    EXPECT_EQ(read_last_lines(path, 100).error().fault, Fault::not_found);
    std::ofstream(path) << "one\ntwo\nthree\nhal";
    EXPECT_EQ(read_last_lines(path, 100)->text, "one\ntwo\nthree\n");
    EXPECT_EQ(read_last_lines(path, 12)->text, "three\n");
    EXPECT_EQ(read_last_lines(path, 5)->text, "");
    EXPECT_EQ(read_last_lines(path, 0)->text, "");
    EXPECT_TRUE(read_last_lines(path, 17)->from_the_start);
    EXPECT_FALSE(read_last_lines(path, 16)->from_the_start);
    std::ofstream(path) << "";
    EXPECT_EQ(read_last_lines(path, 100)->text, "");
}

}  // namespace
}  // namespace kedge
