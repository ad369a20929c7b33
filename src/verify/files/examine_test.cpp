// Backups are told by their content, wherever they lie and whatever they are called.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "os/clock.h"
#include "os/descriptor.h"
#include "targets/postgres/scratch_cluster.h"
#include "verify/files/examine.h"
#include "verify/files/file_source.h"
#include "verify/files/nobody_for_tests.h"
#include "verify/files/own_manifest.h"
#include "verify/redis/rdb_writer_for_tests.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

Moment now() {
    return SystemClock{}.now();
}

std::string snapshot(const std::string& ctime = "1700000000") {
    return RdbWriter("REDIS0010").field("ctime", ctime).database(0).key(0, "k", RdbWriter::text("v")).whole();
}
constexpr const char* commands = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

std::string gzipped(const std::string& text) {
    std::string packed(text.size() + 100, 0);
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    std::string input = text;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

class Place : public testing::Test {
public:
    Place() {
        std::string pattern = (fs::temp_directory_path() / "kedge-verify-XXXXXX").string();
        root = mkdtemp(pattern.data());
        fs::permissions(root, fs::perms(0755));
    }
    ~Place() override { fs::remove_all(root); }

protected:
    std::string write(const std::string& name, const std::string& bytes) const {
        const fs::path path = fs::path(root) / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }
    Result<ExaminedPath> try_examine(const std::string& path) const {
        Effort effort;
        return examine_path(path, {.now = now()}, effort);
    }
    ExaminedPath examine(const std::string& path) const { return try_examine(path).value(); }
    // As somebody who may read only what all may, and who wants all else examined.
    Result<ExaminedPath> listed(const std::string& path) const {
        const AsNobody nobody;
        Effort effort;
        return examine_path(path, {.now = now(), .unreadable = Unreadable::is_listed}, effort);
    }
    void forbid(const std::string& name) const { fs::permissions(root + "/" + name, fs::perms::none); }
    // Of the only backup at that path.
    Examination one(const std::string& path) const {
        const ExaminedPath found = examine(path);
        EXPECT_EQ(found.backups.size(), 1u);
        return found.backups.at(0).examination;
    }

    std::string root;
};

std::vector<std::string> codes(const Examination& examination) {
    std::vector<std::string> codes;
    for (const Finding& finding : examination.findings.kept()) codes.push_back(finding.code);
    return codes;
}

TEST_F(Place, FileIsRecognisedWhateverItIsCalled) {
    EXPECT_EQ(one(write("holiday.jpg", snapshot())).kind, "Redis RDB, version 10");
    EXPECT_EQ(one(write("dump.rdb", commands)).kind, "Redis append-only file");
    EXPECT_THAT(codes(one(write("main.dump", "not a dump at all"))), ElementsAre("unrecognised"));
    EXPECT_THAT(codes(one(write("empty.rdb", ""))), ElementsAre("unrecognised"));
    EXPECT_THAT(codes(one(write("main.sql", "--\n-- PostgreSQL database dump\n--\n"))), ElementsAre("plain-sql"));
}

TEST_F(Place, PackedFileIsRecognisedThroughItsPacking) {
    const std::string packed = gzipped(snapshot());
    const Examination rdb = one(write("a", packed));
    EXPECT_EQ(rdb.kind, "Redis RDB, version 10, packed with gzip");
    EXPECT_THAT(codes(rdb), IsEmpty());
    EXPECT_EQ(rdb.rung(), Rung::checksummed);
    EXPECT_THAT(codes(one(write("b", packed.substr(0, packed.size() - 3)))), testing::Contains("truncated"));
    EXPECT_TRUE(one(write("c", packed + "junk")).findings.any(Weight::damage));
    EXPECT_EQ(one(write("d", gzipped(commands))).rung(), Rung::checksummed);
}

TEST_F(Place, FolderWithSeveralBackupsHasEachExamined) {
    write("b/dump.rdb", snapshot());
    write("a/1.rdb", snapshot());
    write("a/notes.txt", "call Ada before restoring");
    write("redis/appendonly.aof.1.base.rdb", snapshot());
    write("redis/appendonly.aof.1.incr.aof", commands);
    write("redis/appendonly.aof.manifest",
          "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
    const ExaminedPath found = examine(root);
    ASSERT_EQ(found.backups.size(), 3u);
    EXPECT_THAT(found.backups[0].examination.path, EndsWith("a/1.rdb"));
    EXPECT_THAT(found.backups[1].examination.path, EndsWith("b/dump.rdb"));
    EXPECT_EQ(found.backups[2].shape, Shape::aof_directory);
    EXPECT_THAT(found.passed_over, ElementsAre(EndsWith("a/notes.txt")));
    for (const ExaminedBackup& backup : found.backups) EXPECT_THAT(codes(backup.examination), IsEmpty());
}

TEST_F(Place, FolderWithoutAnyBackupIsDoubt) {
    write("x/notes.txt", "nothing");
    EXPECT_THAT(codes(one(root)), ElementsAre("unrecognised"));
    EXPECT_THAT(codes(one(root + "/x")), ElementsAre("unrecognised"));
}

// A backup with Kedge's manifest beside it is held against it, and what belongs to it is no backup of its own.
TEST_F(Place, BackupIsHeldAgainstTheManifestBesideIt) {
    const std::string path = write("a.rdb", snapshot());
    write("a.rdb.globals.sql", "CREATE ROLE x;");
    Effort effort;
    const auto members = manifested_members(path, {}, effort);
    ASSERT_TRUE(members);
    const std::string text = manifest_text({.kind = "snapshot", .of = "r", .files = *digest_blocks(*members, effort)});
    write("a.rdb.kedge-manifest", text);
    write("a.rdb.kedge-manifest.sha256", manifest_digest_text(text, "a.rdb.kedge-manifest"));

    const ExaminedPath sound = examine(root);
    ASSERT_EQ(sound.backups.size(), 1u);
    EXPECT_THAT(sound.passed_over, IsEmpty());
    EXPECT_THAT(sound.backups[0].examination.findings.kept(), IsEmpty());
    EXPECT_THAT(sound.backups[0].examination.proofs.back().says, testing::HasSubstr("2 blocks in 2 files"));

    write("a.rdb.globals.sql", "CREATE ROLE y;");
    const ExaminedPath damaged = examine(path);
    ASSERT_EQ(damaged.backups[0].examination.findings.kept().size(), 1u);
    EXPECT_EQ(damaged.backups[0].examination.findings.kept()[0].code, "manifest-block");

    fs::remove(root + "/a.rdb.kedge-manifest.sha256");
    EXPECT_TRUE(examine(path).backups[0].examination.findings.any(Weight::damage));
    // Without the backup its manifest is a file like any other.
    fs::remove(path);
    EXPECT_THAT(examine(root).passed_over, testing::Contains(EndsWith("a.rdb.kedge-manifest")));
}

TEST_F(Place, LinksOutOfTheFolderAreNotFollowed) {
    write("outside/dump.rdb", snapshot());
    write("inside/real.rdb", snapshot());
    fs::create_symlink("../outside/dump.rdb", root + "/inside/out.rdb");
    fs::create_symlink("../outside", root + "/inside/out");
    fs::create_symlink("real.rdb", root + "/inside/within.rdb");
    fs::create_symlink("..", root + "/inside/up");
    const ExaminedPath found = examine(root + "/inside");
    EXPECT_EQ(found.backups.size(), 2u);
    EXPECT_EQ(found.passed_over.size(), 3u);
}

TEST_F(Place, LinkThatIsNamedItselfIsFollowed) {
    write("real.rdb", snapshot());
    fs::create_symlink("real.rdb", root + "/latest");
    EXPECT_EQ(one(root + "/latest").rung(), Rung::checksummed);
}

TEST_F(Place, WhatIsNotThereOrNoFileIsAnError) {
    EXPECT_EQ(try_examine(root + "/nothing").error().fault, Fault::not_found);
    EXPECT_EQ(try_examine("/dev/null").error().fault, Fault::refused);
}

TEST_F(Place, WhatIsAPipeIsToBeReadAsAStream) {
    ASSERT_EQ(mkfifo((root + "/pipe").c_str(), 0644), 0);
    for (const std::string& path : {root + "/pipe", std::string("/dev/null")}) {
        const Result<ExaminedPath> refused = try_examine(path);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().fault, Fault::refused);
        EXPECT_THAT(refused.error().hint, EndsWith("`kedge verify - < " + path + "`"));
    }
}

TEST_F(Place, UnreadableMemberHidesNoOtherBackupOfItsFolder) {
    write("w/a.rdb", snapshot());
    write("w/b.rdb", snapshot().substr(0, 30));
    write("w/c.rdb", snapshot());
    write("w/closed/d.rdb", snapshot());
    write("w/nameless/e.rdb", snapshot());
    forbid("w/c.rdb");
    forbid("w/closed");
    fs::permissions(root + "/w/nameless", fs::perms(0744));  // its names can be read, and nothing behind them
    const ExaminedPath found = listed(root + "/w").value();
    ASSERT_EQ(found.backups.size(), 2u);
    EXPECT_EQ(found.backups[0].examination.rung(), Rung::checksummed);
    EXPECT_TRUE(found.backups[1].examination.findings.any(Weight::damage));
    ASSERT_EQ(found.unread.size(), 3u);
    EXPECT_EQ(found.unread[0].path, root + "/w/c.rdb");
    EXPECT_EQ(found.unread[1].path, root + "/w/closed");
    EXPECT_EQ(found.unread[2].path, root + "/w/nameless/e.rdb");
    for (const UnreadPath& unread : found.unread) {
        EXPECT_EQ(unread.error.fault, Fault::not_allowed);
        const Examination examination = unread.examination();
        EXPECT_EQ(examination.rung(), Rung::none);
        ASSERT_THAT(codes(examination), ElementsAre("file-unreadable"));
        EXPECT_EQ(examination.findings.kept()[0].says, "Permission denied");
        EXPECT_TRUE(examination.findings.any(Weight::doubt));
    }
}

TEST_F(Place, FolderOfWhichNothingCouldBeReadIsNotCalledEmpty) {
    write("w/a.rdb", snapshot());
    forbid("w/a.rdb");
    const ExaminedPath found = listed(root + "/w").value();
    EXPECT_THAT(found.backups, IsEmpty());
    EXPECT_EQ(found.unread.size(), 1u);
}

// Whoever goes on with what was found must not take a part for the whole.
TEST_F(Place, UnreadableMemberIsAnErrorForWhoeverDidNotAskForAList) {
    write("w/a.rdb", snapshot());
    write("w/b.rdb", snapshot());
    forbid("w/b.rdb");
    const AsNobody nobody;
    const Result<ExaminedPath> refused = try_examine(root + "/w");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::not_allowed);
}

TEST_F(Place, DirectoryOfOneBackupWithAnUnreadableFileIsNotJudged) {
    write("aof/appendonly.aof.1.base.rdb", snapshot());
    write("aof/appendonly.aof.1.incr.aof", commands);
    write("aof/appendonly.aof.manifest",
          "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
    write("base/PG_VERSION", "15\n");
    write("base/backup_label", "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n");
    write("dump/toc.dat", std::string("PGDMP\1\16\0\4\10\3", 11));
    write("dump/1.dat", snapshot());
    write("sound.rdb", snapshot());
    const std::vector<std::string> directories{"aof", "base", "dump"};
    for (const char* file : {"aof/appendonly.aof.1.incr.aof", "base/backup_label", "dump/1.dat"}) forbid(file);
    for (const std::string& directory : directories) {
        const Result<ExaminedPath> refused = listed(root + "/" + directory);
        ASSERT_FALSE(refused) << directory;
        EXPECT_EQ(refused.error().fault, Fault::not_allowed);
    }
    const ExaminedPath all = listed(root).value();
    ASSERT_EQ(all.backups.size(), 1u) << "no file of theirs is taken for a backup of its own";
    EXPECT_THAT(all.backups[0].examination.path, EndsWith("sound.rdb"));
    ASSERT_EQ(all.unread.size(), 3u);
    for (std::size_t i = 0; i < all.unread.size(); ++i) EXPECT_EQ(all.unread[i].path, root + "/" + directories[i]);
    EXPECT_THAT(all.unread[0].examination().findings.kept()[0].says, testing::HasSubstr("incr.aof"));
}

TEST_F(Place, UnreadableSegmentIsADoubtOfItsLog) {
    std::string segment(1u << 20, '\0');
    segment.replace(0, 4, std::string("\x10\xd1\2\0", 4));           // PostgreSQL 15, a long header
    segment.replace(32, 8, std::string("\0\0\x10\0\0\x20\0\0", 8));  // the sizes of a segment and a page
    write("wal/000000010000000000000001", segment);
    write("wal/000000010000000000000002", segment);
    forbid("wal/000000010000000000000002");
    const ExaminedPath found = listed(root + "/wal").value();
    ASSERT_EQ(found.backups.size(), 1u);
    EXPECT_EQ(found.backups[0].shape, Shape::wal_archive);
    EXPECT_THAT(codes(found.backups[0].examination), testing::Contains("wal-unreadable"));
    EXPECT_THAT(found.unread, IsEmpty());
}

// What belongs to a backup and cannot be read leaves what was found in the backup itself standing.
TEST_F(Place, UnreadableCompanionIsADoubtBesideTheBackupsOwnDamage) {
    const std::string path = write("w/a.rdb", snapshot().substr(0, 30));
    write("w/a.rdb.globals.sql", "CREATE ROLE x;");
    Effort effort;
    const std::string text = manifest_text(
        {.kind = "snapshot", .of = "r", .files = *digest_blocks(*manifested_members(path, {}, effort), effort)});
    write("w/a.rdb.kedge-manifest", text);
    write("w/a.rdb.kedge-manifest.sha256", manifest_digest_text(text, "a.rdb.kedge-manifest"));
    forbid("w/a.rdb.globals.sql");
    for (const std::string& named : {path, root + "/w"}) {
        const ExaminedPath found = listed(named).value();
        ASSERT_EQ(found.backups.size(), 1u);
        EXPECT_TRUE(found.backups[0].examination.findings.any(Weight::damage));
        EXPECT_THAT(codes(found.backups[0].examination), testing::Contains("file-unreadable"));
        EXPECT_THAT(found.unread, IsEmpty());
    }
}

TEST_F(Place, TimeInTheFutureIsDoubt) {
    const auto soon = std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count() + 86400;
    const Examination rdb = one(write("a", snapshot(std::to_string(soon))));
    EXPECT_THAT(codes(rdb), testing::Contains("future"));
    EXPECT_TRUE(rdb.findings.any(Weight::doubt));
}

TEST_F(Place, FileThatGrowsWhileItIsReadIsDoubt) {
    const std::string path = write("a", std::string(commands) + commands);
    Effort effort;
    const ExaminedPath found =
        examine_path(path,
                     {.now = now(),
                      .on_begin = [&](const std::string&,
                                      std::uint64_t) { std::ofstream(path, std::ios::app) << commands << commands; }},
                     effort)
            .value();
    EXPECT_THAT(codes(found.backups.at(0).examination), ElementsAre("growing"));
}

// The figure behind the progress bar: of what lies on the disk, however much more it is unpacked.
TEST_F(Place, WhatIsReadIsCountedOnce) {
    const std::string plain = snapshot();
    for (const std::string& bytes : {plain, gzipped(plain)}) {
        Effort effort;
        std::uint64_t before = 0;
        const std::string path = write("a", bytes);
        const auto begun = [&](const std::string&, std::uint64_t all) {
            EXPECT_EQ(all, bytes.size());
            before = effort.bytes_read;
        };
        ASSERT_TRUE(examine_path(path, {.now = now(), .on_begin = begun}, effort));
        EXPECT_EQ(effort.bytes_read - before, bytes.size());
    }
}

TEST_F(Place, FileOlderThanItsContentIsRemarked) {
    const std::string path = write("a", snapshot());
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(24 * 365 * 20));
    EXPECT_THAT(codes(one(path)), ElementsAre("older-file"));
    EXPECT_FALSE(one(path).findings.any(Weight::doubt));
}

TEST_F(Place, InputIsReadFromTheFront) {
    const Descriptor file(open(write("a", snapshot()).c_str(), O_RDONLY | O_CLOEXEC));
    Effort effort;
    const ExaminedPath found = examine_input(file.get(), {.now = now()}, effort).value();
    ASSERT_EQ(found.backups.size(), 1u);
    EXPECT_EQ(found.backups[0].examination.path, "-");
    EXPECT_EQ(found.backups[0].examination.rung(), Rung::checksummed);
}

TEST_F(Place, InputThatNeverComesIsLeftWhenTheEffortIsStopped) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Descriptor reading(ends[0]), writing(ends[1]);
    Effort effort;
    effort.stop = true;
    EXPECT_FALSE(examine_input(reading.get(), {.now = now()}, effort));
}

// What a real server left: its base backup, and beside it the log that the backup brought, as an archive.
TEST(Server, LeavesABaseBackupAndAnArchiveThatAreToldApart) {
    ScratchDirectory directory;
    const auto server = ScratchServer::initialize(directory, "server");
    server->start();
    server->sql("CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g");
    const std::string base = directory.path() + "/backups/base";
    directory.run({"install", "-d", "-m", "700", directory.path() + "/backups", directory.path() + "/archive"});
    directory.run({std::string(scratch_bin_directory) + "/pg_basebackup", "-D", base, "-d", server->conninfo(), "-c",
                   "fast", "--no-sync"});
    std::string segment;
    for (const auto& entry : fs::directory_iterator(base + "/pg_wal"))
        if (entry.is_regular_file()) segment = entry.path().filename().string();
    directory.run({"cp", base + "/pg_wal/" + segment, directory.path() + "/archive/" + segment});

    Effort effort;
    effort.threads = 2;
    const ExamineOptions options{.now = now()};
    const ExaminedPath backups = examine_path(directory.path() + "/backups", options, effort).value();
    ASSERT_EQ(backups.backups.size(), 1u);
    EXPECT_EQ(backups.backups[0].shape, Shape::base_backup);
    EXPECT_EQ(backups.backups[0].examination.rung(), Rung::checksummed);
    EXPECT_FALSE(backups.backups[0].examination.findings.any(Weight::damage));
    const ExaminedPath archive = examine_path(directory.path() + "/archive", options, effort).value();
    ASSERT_EQ(archive.backups.size(), 1u);
    EXPECT_EQ(archive.backups[0].shape, Shape::wal_archive);
    EXPECT_FALSE(archive.backups[0].examination.findings.any(Weight::damage));
    const ExaminedPath alone = examine_path(directory.path() + "/archive/" + segment, options, effort).value();
    ASSERT_EQ(alone.backups.size(), 1u);
    EXPECT_EQ(alone.backups[0].shape, Shape::wal_archive);

    const std::string tars = directory.path() + "/tars";
    directory.run({std::string(scratch_bin_directory) + "/pg_basebackup", "-D", tars, "-Ft", "-z", "-d",
                   server->conninfo(), "-c", "fast", "--no-sync"});
    EXPECT_EQ(examine_path(tars, options, effort)->backups.at(0).shape, Shape::base_backup);
    for (const char* name : {"/base.tar.gz", "/pg_wal.tar.gz"})
        EXPECT_THAT(codes(examine_path(tars + name, options, effort)->backups.at(0).examination), ElementsAre("part"))
            << name;

    const ExamineOptions growing{.now = now(), .on_begin = [&](const std::string& path, std::uint64_t) {
                                     std::ofstream(path + "/" + segment, std::ios::app) << "more";
                                 }};
    const ExaminedPath grown = examine_path(directory.path() + "/archive", growing, effort).value();
    EXPECT_THAT(codes(grown.backups.at(0).examination), testing::Contains("growing"));
}

}  // namespace
}  // namespace kedge::verify
