// Tars as GNU tar makes them of names that lead elsewhere, written out below a directory of the test's own.
#include "verify/restore/tar_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "os/files.h"
#include "os/process.h"
#include "verify/files/member_files.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Tars {
public:
    Tars() {
        std::string pattern = "/tmp/kedge-tars-XXXXXX";
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        root = pattern;
        for (const std::string name : {"in", "backup", "data", "outside"}) fs::create_directories(root + "/" + name);
        write("in/PG_VERSION", "15\n");
    }
    ~Tars() { EXPECT_TRUE(remove_tree(root)); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories(fs::path(root + "/" + name).parent_path());
        std::ofstream(root + "/" + name) << text;
    }
    // Adds what lies below `in` to a tar of the backup; `more`: options of tar.
    void add(const std::string& tar, const std::string& what, Arguments more = {}) const {
        Arguments all{"tar", "-r", "-P", "-f", root + "/backup/" + tar, "-C", root + "/in"};
        all.insert(all.end(), more.begin(), more.end());
        all.push_back(what);
        const auto done = run_or_fail(all, within(std::chrono::seconds(30)));
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
    }
    Result<void> unpacked() const {
        Effort effort;
        const auto members = TRY(members_below(root + "/backup", 100, effort));
        const TarSurvey survey = TRY(survey_tars(members, limits, {}));
        return unpack_tars(members, root + "/data", survey.bytes, limits, {});
    }
    std::string refusal() const {
        const auto done = unpacked();
        return done ? "nothing" : std::string(to_string(done.error().fault)) + ": " + done.error().message;
    }
    // Everything of the test but what it made itself.
    bool outside_is_untouched() const {
        return fs::is_empty(root + "/outside") && !exists(root + "/evil") && !exists("/tmp/evil");
    }

    std::string root;
    const Limits limits;
};

TEST(TarBackup, FilesDirectoriesAndTablespacesLieWhereTheServerLooks) {
    const Tars tars;
    tars.write("in/base/1/1259", std::string(100'000, 'x'));
    tars.write("in/PG_15_202209061/5/16385", "far");
    tars.write("in/000000010000000000000002", "log");
    fs::create_directories(tars.root + "/in/pg_tblspc");
    fs::create_symlink(tars.root + "/outside", tars.root + "/in/pg_tblspc/16384");
    for (const char* name : {"PG_VERSION", "base", "pg_tblspc"}) tars.add("base.tar", name);
    tars.add("16384.tar", "./PG_15_202209061");
    tars.add("pg_wal.tar", "000000010000000000000002");
    tars.write("backup/backup_manifest", "no tar");
    ASSERT_EQ(tars.refusal(), "nothing");
    const std::string data = tars.root + "/data/";
    EXPECT_EQ(read_file(data + "PG_VERSION").value(), "15\n");
    EXPECT_EQ(fs::file_size(data + "base/1/1259"), 100'000u);
    EXPECT_FALSE(fs::is_symlink(data + "pg_tblspc/16384")) << "a tablespace is a directory of the copy";
    EXPECT_EQ(read_file(data + "pg_tblspc/16384/PG_15_202209061/5/16385").value(), "far");
    EXPECT_EQ(read_file(data + "pg_wal/000000010000000000000002").value(), "log");
    EXPECT_FALSE(exists(data + "backup_manifest"));
    EXPECT_TRUE(tars.outside_is_untouched());
}

TEST(TarBackup, NameThatLeadsOutIsRefused) {
    for (const char* name : {"../evil", "/tmp/evil", "base/../../evil", "base/./../../../evil", ".."}) {
        const Tars tars;
        tars.write("in/it", "evil");
        tars.add("base.tar", "it", {std::string("--transform=s,^it$,") + name + ","});
        EXPECT_THAT(tars.refusal(), HasSubstr("leads out of the backup")) << name;
        EXPECT_TRUE(fs::is_empty(tars.root + "/data")) << "nothing was written before all was looked at";
        EXPECT_TRUE(tars.outside_is_untouched());
    }
}

TEST(TarBackup, NothingIsWrittenThroughALinkOfTheArchive) {
    const Tars tars;
    fs::create_symlink(tars.root + "/outside", tars.root + "/in/base");
    tars.add("base.tar", "base");
    fs::remove(tars.root + "/in/base");
    tars.write("in/base/evil", "evil");
    tars.add("base.tar", "base/evil");
    ASSERT_EQ(tars.refusal(), "nothing");
    EXPECT_TRUE(tars.outside_is_untouched());
    EXPECT_EQ(read_file(tars.root + "/data/base/evil").value(), "evil") << "it lies in a directory of our own";
}

TEST(TarBackup, WhatIsThereTwiceOrIsNoFileIsRefused) {
    const Tars twice;
    twice.add("base.tar", "PG_VERSION");
    twice.add("base.tar", "PG_VERSION");
    EXPECT_THAT(twice.refusal(), HasSubstr("twice"));
    const Tars pipe;
    ASSERT_EQ(mkfifo((pipe.root + "/in/pipe").c_str(), 0600), 0);
    pipe.add("base.tar", "pipe");
    EXPECT_THAT(pipe.refusal(), HasSubstr("no file and no directory"));
    const Tars file_as_directory;
    file_as_directory.write("in/base", "a file");
    file_as_directory.add("base.tar", "base");
    fs::remove(file_as_directory.root + "/in/base");
    file_as_directory.write("in/base/1", "below it");
    file_as_directory.add("base.tar", "base/1");
    EXPECT_NE(file_as_directory.refusal(), "nothing");
}

TEST(TarBackup, NeedsNoMoreThanItWasSaidTo) {
    const Tars tars;
    tars.write("in/large", std::string(1'000'000, 'x'));
    tars.add("base.tar", "large");
    Effort effort;
    const auto members = members_below(tars.root + "/backup", 100, effort).value();
    EXPECT_GE(survey_tars(members, tars.limits, {})->bytes, 1'000'000u);
    EXPECT_EQ(unpack_tars(members, tars.root + "/data", 999'999, tars.limits, {}).error().fault, Fault::conflict);
}

}  // namespace
}  // namespace kedge::verify
