#include "verify/restore/log_beside.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "os/files.h"
#include "verify/files/member_files.h"
#include "verify/restore/own_postgres.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

class Archive {
public:
    Archive() {
        std::string pattern = "/tmp/kedge-log-beside-XXXXXX";
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        root = pattern;
        EXPECT_EQ(chmod(root.c_str(), 0755), 0);
        for (const char* name : {"/archive", "/log"}) fs::create_directory(root + name);
    }
    ~Archive() { EXPECT_TRUE(remove_tree(root)); }

    void add(const std::string& name, const std::string& content = "log") const {
        EXPECT_TRUE(write_file_atomically(root + "/archive/" + name, content, 0644));
    }
    LogBeside of(const std::optional<Login>& owner = std::nullopt) {
        members = members_below(root + "/archive", 100, effort).value();
        return LogBeside::of(members, owner, {}).value();
    }
    // "a -> archive/a" of each file, by name.
    std::vector<std::string> written(const LogBeside& log) const {
        const auto done = log.write(root + "/log", {});
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        std::vector<std::string> files;
        for (const auto& file : fs::directory_iterator(root + "/log")) {
            std::string says = file.path().filename();
            if (file.is_symlink()) says += " -> " + fs::relative(fs::read_symlink(file.path()), root).string();
            files.push_back(says);
        }
        std::ranges::sort(files);
        return files;
    }

    std::string root;
    Effort effort;
    std::vector<Member> members;
};

std::string segment(int number) {
    return "00000001000000000000000" + std::to_string(number);
}

TEST(LogBeside, OlderSegmentsAreLinksWhereAServerReadsThemAsTheyAre) {
    Archive archive;
    for (const int number : {1, 3, 4, 5, 6}) archive.add(segment(number));
    archive.add(segment(2), std::string("\x1f\x8b\x08\x00", 4) + "packed, whatever its name says");
    archive.add("00000002.history");
    archive.add("000000010000000000000001.00000028.backup");
    const LogBeside log = archive.of();
    EXPECT_EQ(log.files(), 7u);
    EXPECT_EQ(log.bytes(), 5u << 24) << "three that are the newest, one that is packed, and a history";
    EXPECT_EQ(log.linked().size(), 2u);
    EXPECT_FALSE(log.write(archive.root + "/log", {})) << "what is packed breaks off";
    fs::remove_all(archive.root + "/log");
    fs::create_directory(archive.root + "/log");
    fs::remove(archive.root + "/archive/" + segment(2));
    EXPECT_EQ(archive.written(archive.of()),
              (std::vector{segment(1) + " -> archive/" + segment(1), segment(3) + " -> archive/" + segment(3),
                           segment(4), segment(5), segment(6), std::string("00000002.history")}));
}

TEST(LogBeside, WhatItsOwnerCannotReadIsCopied) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be refused as somebody else";
    Archive archive;
    for (const int number : {1, 2, 3, 4, 5}) archive.add(segment(number));
    const std::optional<Login> owner = postgres_owner().value();
    EXPECT_EQ(archive.of(owner).linked().size(), 2u);
    ASSERT_EQ(chmod((archive.root + "/archive").c_str(), 0700), 0);
    EXPECT_EQ(archive.of(owner).linked().size(), 0u) << "a directory above it counts";
    EXPECT_EQ(archive.written(archive.of(owner)).size(), 5u);
}

}  // namespace
}  // namespace kedge::verify
