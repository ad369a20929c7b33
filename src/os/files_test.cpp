#include "os/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace kedge {
namespace {

class Files : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/kedge-files-XXXXXX";
        root_ = mkdtemp(name);
    }
    void TearDown() override { EXPECT_TRUE(remove_tree(root_)); }

    std::string root_;
};

TEST_F(Files, AreReadUpToALimit) {
    ASSERT_TRUE(write_file_atomically(root_ + "/f", "hello"));
    EXPECT_EQ(*read_file(root_ + "/f"), "hello");
    EXPECT_EQ(*read_file(root_ + "/f", 5), "hello");
    EXPECT_EQ(read_file(root_ + "/f", 4).error().fault, Fault::refused);
    EXPECT_EQ(read_file(root_ + "/none").error().fault, Fault::not_found);
    EXPECT_EQ(read_file(root_).error().fault, Fault::refused);
    EXPECT_EQ(read_file("/dev/zero").error().fault, Fault::refused);
    EXPECT_TRUE(read_file("/proc/self/stat"));
}

TEST_F(Files, ANamedPipeIsRefusedAndNotWaitedFor) {
    ASSERT_EQ(mkfifo((root_ + "/pipe").c_str(), 0600), 0);
    EXPECT_EQ(read_file(root_ + "/pipe").error().fault, Fault::refused);
}

TEST_F(Files, AreReplacedWholeWithTheirMode) {
    ASSERT_TRUE(write_file_atomically(root_ + "/f", "old", 0644));
    ASSERT_TRUE(write_file_atomically(root_ + "/f", "new", 0600));
    EXPECT_EQ(*read_file(root_ + "/f"), "new");
    struct stat status {};
    ASSERT_EQ(stat((root_ + "/f").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Files, AFailedWriteKeepsTheOldFileAndNoLitter) {
    ASSERT_TRUE(make_directories(root_ + "/d/f"));  // a directory stands where the file should go
    EXPECT_FALSE(write_file_atomically(root_ + "/d/f", "new"));
    EXPECT_EQ(write_file_atomically(root_ + "/none/f", "new").error().fault, Fault::not_found);
    ASSERT_EQ(rmdir((root_ + "/d/f").c_str()), 0);
    EXPECT_EQ(rmdir((root_ + "/d").c_str()), 0) << "something was left in the directory";
}

TEST_F(Files, DirectoriesAreMadeOnce) {
    ASSERT_TRUE(make_directories(root_ + "/a/b/c", 0700));
    ASSERT_TRUE(make_directories(root_ + "/a/b/c", 0700));
    ASSERT_TRUE(write_file_atomically(root_ + "/f", ""));
    EXPECT_EQ(make_directories(root_ + "/f").error().fault, Fault::refused);
    EXPECT_FALSE(make_directories(root_ + "/f/g"));
}

TEST_F(Files, ATreeIsRemovedWithoutFollowingLinks) {
    ASSERT_TRUE(make_directories(root_ + "/kept"));
    ASSERT_TRUE(write_file_atomically(root_ + "/kept/f", "x"));
    ASSERT_TRUE(make_directories(root_ + "/gone/deep/er"));
    ASSERT_TRUE(write_file_atomically(root_ + "/gone/deep/f", "x"));
    ASSERT_EQ(symlink((root_ + "/kept").c_str(), (root_ + "/gone/deep/link").c_str()), 0);
    ASSERT_EQ(symlink((root_ + "/kept").c_str(), (root_ + "/alias").c_str()), 0);
    EXPECT_EQ(remove_tree(root_ + "/alias").error().fault, Fault::refused);
    ASSERT_TRUE(remove_tree(root_ + "/gone"));
    EXPECT_FALSE(exists(root_ + "/gone"));
    EXPECT_TRUE(exists(root_ + "/kept/f"));
    EXPECT_TRUE(remove_tree(root_ + "/gone")) << "nothing there is success";
}

TEST_F(Files, RemovalRefusesWhatCannotBeMeant) {
    for (const char* path : {"", "/", "//", "/tmp", "/tmp/", "relative/path", "/tmp/x/../.."})
        EXPECT_EQ(remove_tree(path).error().fault, Fault::refused) << path;
}

TEST_F(Files, ALockHasOneHolder) {
    {
        const Result<FileLock> first = FileLock::acquire(root_ + "/lock");
        ASSERT_TRUE(first);
        const Result<FileLock> second = FileLock::acquire(root_ + "/lock");
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().fault, Fault::conflict);
        EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
    }
    EXPECT_TRUE(FileLock::acquire(root_ + "/lock"));
}

class StateDirectory : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name : {"KEDGE_STATE", "STATE_DIRECTORY", "XDG_STATE_HOME"}) unsetenv(name);
    }
    void TearDown() override { SetUp(); }
};

TEST_F(StateDirectory, FollowsTheOrderOfPlaces) {
    setenv("HOME", "/home/somebody", 1);
    EXPECT_EQ(*state_directory(std::nullopt), "/home/somebody/.local/state/kedge");
    setenv("XDG_STATE_HOME", "/xdg", 1);
    EXPECT_EQ(*state_directory(std::nullopt), "/xdg/kedge");
    setenv("STATE_DIRECTORY", "/var/lib/kedge", 1);
    EXPECT_EQ(*state_directory(std::nullopt), "/var/lib/kedge");
    setenv("KEDGE_STATE", "/env", 1);
    EXPECT_EQ(*state_directory(std::nullopt), "/env");
    EXPECT_EQ(*state_directory("/given"), "/given");
    EXPECT_TRUE(state_directory("given")->starts_with("/"));
    EXPECT_EQ(state_directory("").error().fault, Fault::invalid_input);
}

}  // namespace
}  // namespace kedge
