// Real backups, taken by real servers of our own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "os/clock.h"
#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"
#include "targets/redis/scratch_redis.h"
#include "verify/files/examine.h"
#include "verify/redis/rdb_writer_for_tests.h"
#include "verify/restore/restore.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class Restore : public testing::Test {
protected:
    Restore() {
        std::string pattern = "/var/tmp/kedge-restore-test-XXXXXX";
        root = mkdtemp(pattern.data());
        fs::permissions(root, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    }
    void TearDown() override { fs::remove_all(root); }

    std::string write(const std::string& name, const std::string& bytes) const {
        std::ofstream(root + "/" + name, std::ios::binary) << bytes;
        return root + "/" + name;
    }
    RestoreOptions options() const { return {.place = root + "/place", .threads = 2}; }
    Examination examine(const std::string& path) const {
        Effort effort;
        return examine_path(path, {.now = SystemClock{}.now()}, effort).value().backups.at(0).examination;
    }
    Examination restored_rdb(const std::string& path) const {
        Examination examination = examine(path);
        const Result<void> done = restore_rdb(path, examination, options());
        EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message);
        EXPECT_FALSE(exists(root + "/place"));
        return examination;
    }

    std::string root;
};

RdbWriter snapshot() {
    return RdbWriter("REDIS0009")
        .field("redis-ver", "6.0.0")
        .database(0)
        .key(0, "k", RdbWriter::text("v"))
        .expires_ms(1000)
        .key(0, "gone", RdbWriter::text("v"))
        .key(1, "empty", RdbWriter::length(0))
        .database(5)
        .key(2, "s", RdbWriter::length(1) + RdbWriter::text("m"));
}

TEST_F(Restore, SnapshotHoldsAsManyKeysAsWereCounted) {
    const Examination rdb = restored_rdb(write("a.rdb", snapshot().whole()));
    EXPECT_EQ(rdb.rung(), Rung::restored);
    EXPECT_THAT(rdb.findings.kept(), IsEmpty());
    EXPECT_EQ(get_integer(rdb.facts, "restored_keys"), 2);
}

TEST_F(Restore, SnapshotThatTheServerRefusesIsDamaged) {
    // Twice the same key: nothing that reading it finds, and a server stops at it.
    const Examination rdb =
        restored_rdb(write("a.rdb", snapshot().key(2, "s", RdbWriter::length(1) + RdbWriter::text("m")).whole()));
    EXPECT_LT(rdb.rung(), Rung::restored);
    ASSERT_FALSE(rdb.findings.kept().empty());
    EXPECT_EQ(rdb.findings.kept().front().code, "restore-refused");
}

TEST_F(Restore, SnapshotOfALaterVersionIsDoubt) {
    const Examination rdb =
        restored_rdb(write("a.rdb", RdbWriter("REDIS0012").database(0).key(0, "k", RdbWriter::text("v")).whole()));
    ASSERT_FALSE(rdb.findings.kept().empty());
    EXPECT_EQ(rdb.findings.kept().front().code, "restore-impossible");
    EXPECT_FALSE(rdb.findings.any(Weight::damage));
}

TEST_F(Restore, AppendOnlyDirectoryIsCopiedAndTaken) {
    ScratchRedis redis({.regions = {"one"}, .node_settings = {"appendfsync always"}});
    for (int i = 0; i < 20; ++i) redis.ask("one", {"SET", "key" + std::to_string(i), "v"});
    const std::string directory = redis.ask("one", {"CONFIG", "GET", "dir"}).substr(4) + "/appendonlydir";
    Examination aof = examine(directory);
    ASSERT_TRUE(restore_aof_directory(directory, aof, options()).has_value());
    EXPECT_EQ(aof.rung(), Rung::restored);
    EXPECT_EQ(get_integer(aof.facts, "restored_keys"), 20);
}

TEST_F(Restore, WorkplaceOfADeadProcessIsCleared) {
    const std::string place = root + "/place";
    const pid_t child = fork();
    if (child == 0) {
        const Result<Workplace> workplace = Workplace::open(place, 0, std::nullopt);
        if (workplace) std::ofstream(workplace->path() + "/left") << "x";
        raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const auto left_by_it = [&] {
        return std::ranges::any_of(fs::directory_iterator(place), [&](const fs::directory_entry& entry) {
            return entry.path().filename().string().starts_with(std::to_string(child) + "-");
        });
    };
    ASSERT_TRUE(left_by_it());
    const Result<Workplace> next = Workplace::open(place, 0, std::nullopt);
    ASSERT_TRUE(next.has_value());
    EXPECT_FALSE(left_by_it());
}

TEST_F(Restore, WorkplaceOfALivingProcessIsLeftAlone) {
    const Result<Workplace> mine = Workplace::open(root + "/place", 0, std::nullopt);
    ASSERT_TRUE(mine.has_value());
    EXPECT_EQ(clear_left_workplaces(root + "/place").value(), 0u);
    EXPECT_TRUE(exists(mine->path()));
}

TEST_F(Restore, WithoutRoomIsNotBegun) {
    const Result<Workplace> workplace = Workplace::open(root + "/place", UINT64_MAX, std::nullopt);
    ASSERT_FALSE(workplace);
    EXPECT_THAT(workplace.error().message, HasSubstr("may be needed"));
}

TEST_F(Restore, DumpHoldsAsManyRowsAsWereCounted) {
    const ScratchDirectory directory;
    const auto server = ScratchServer::initialize(directory, "source");
    server->start();
    const std::string bin = scratch_bin_directory, connect = server->conninfo();
    directory.run({bin + "/psql", "-q", "-d", connect},
                  "create table users(id int primary key, name text);"
                  "insert into users select i, 'n' || i from generate_series(1, 500) i;"
                  "create schema \"Odd One\"; create table \"Odd One\".\"Ta ble\"(a int);"
                  "insert into \"Odd One\".\"Ta ble\" values (1), (2);");
    const std::pair<const char*, DumpForm> forms[] = {
        {"c", DumpForm::custom}, {"d", DumpForm::directory}, {"t", DumpForm::tar}};
    for (const auto& [letter, form] : forms) {
        const std::string path = directory.path() + "/dump-" + letter;
        directory.run({bin + "/pg_dump", std::string("-F") + letter, "-f", path, "-d", connect});
        Examination dump = examine(path);
        const Result<void> done = restore_dump(path, form, dump, options());
        ASSERT_TRUE(done.has_value()) << done.error().message;
        EXPECT_EQ(dump.rung(), Rung::restored) << letter;
        EXPECT_EQ(get_integer(dump.facts, "restored_rows"), 502);
        EXPECT_EQ(get_string(dump.facts, "amcheck"), "clean");
    }
}

}  // namespace
}  // namespace kedge::verify
