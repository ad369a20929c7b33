// A real server's base backup and log, given to a server of our own.
#include "verify/restore/base_restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"
#include "verify/files/member_files.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

// A base backup with the log that it needs, then three rows a moment apart, all of it archived.
struct Backups {
    Backups() {
        server = ScratchServer::initialize(directory, "server");
        directory.run({"mkdir", wal});
        server->configure("archive_mode = on");
        server->configure(fmt::format("archive_command = 'cp %p {}/%f'", wal));
        server->start();
        server->sql("CREATE TABLE orders (id int PRIMARY KEY)");
        server->sql("INSERT INTO orders SELECT generate_series(1, 1000)");
        const std::string program = std::string(scratch_bin_directory) + "/pg_basebackup";
        directory.run({program, "-D", base, "-d", server->conninfo(), "-c", "fast", "--no-sync", "-X", "stream"});
        directory.run({program, "-D", packed, "-Ft", "-d", server->conninfo(), "-c", "fast", "--no-sync"});
        for (Moment* after : {&first, &second, &third}) {
            server->sql("INSERT INTO orders SELECT max(id) + 1 FROM orders");
            *after = Moment(std::chrono::microseconds(
                std::stoll(server->sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))));
        }
        archive();
        server->stop();
    }
    void archive() const {
        const std::string last = server->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(server->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the log is archived");
    }

    Examination restored(const BaseRestore& what) const {
        Examination examination;
        const auto done = restore_base_backup(what, examination, {.place = place, .threads = 2});
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        EXPECT_FALSE(exists(place)) << "it leaves nothing behind";
        return examination;
    }
    std::vector<Member> log() const { return members_below(wal, 1000, effort).value(); }

    ScratchDirectory directory;
    std::unique_ptr<ScratchServer> server;  // stopped
    const std::string wal = directory.path() + "/wal", base = directory.path() + "/base",
                      packed = directory.path() + "/packed", place = directory.path() + "-place";
    mutable Effort effort;
    Moment first, second, third;
};

// On the first timeline, there is no other.
RecoveryTarget on_first(Moment moment) {
    RecoveryTarget target = RecoveryTarget::at(moment);
    target.timeline = 1;
    return target;
}

std::optional<std::uint64_t> rows(const Examination& examination, const std::string& table) {
    for (const Content& content : examination.contents)
        if (content.name == table) return content.rows;
    return std::nullopt;
}

std::string told(const Examination& examination) {
    std::string text;
    for (const Finding& finding : examination.findings.kept()) text += finding.code + ": " + finding.says + "\n";
    for (const std::string& unproved : examination.unproved) text += unproved + "\n";
    return text;
}

TEST(BaseRestore, ServerRecoversUntilItIsConsistentOrToAMoment) {
    const Backups backups;
    const Examination alone = backups.restored({.from = {backups.base, {}}});
    EXPECT_EQ(alone.rung(), Rung::restored) << told(alone);
    EXPECT_EQ(rows(alone, "postgres.public.orders"), 1000u);
    EXPECT_EQ(get_string(alone.facts, "amcheck"), "clean");

    const Examination moment =
        backups.restored({.from = {backups.base, backups.log()}, .to = on_first(backups.second)});
    EXPECT_EQ(moment.rung(), Rung::restored) << told(moment);
    EXPECT_EQ(rows(moment, "postgres.public.orders"), 1002u);
    const auto last = get_integer(moment.facts, "last_transaction_us");
    ASSERT_TRUE(last);
    EXPECT_LE(*last, backups.second.time_since_epoch().count());
    EXPECT_GE(*last, backups.first.time_since_epoch().count() - 1'000'000);
}

TEST(BaseRestore, LogThatDoesNotReachTheMomentIsDamage) {
    const Backups backups;
    const Examination late = backups.restored(
        {.from = {backups.base, backups.log()}, .to = on_first(backups.third + std::chrono::hours(1))});
    EXPECT_THAT(told(late), HasSubstr("restore-refused"));
    EXPECT_EQ(late.rung(), Rung::none);

    for (const auto& segment : fs::directory_iterator(backups.base + "/pg_wal"))
        if (segment.is_regular_file()) fs::remove(segment);
    const Examination without = backups.restored({.from = {backups.base, {}}});
    EXPECT_THAT(told(without), HasSubstr("restore-refused"));
    const Examination with = backups.restored({.from = {backups.base, backups.log()}});
    EXPECT_EQ(with.rung(), Rung::restored) << "the archive has what the backup lacks\n" << told(with);
}

TEST(BaseRestore, ServerTakesTarsOfEveryPacking) {
    const Backups backups;
    const Examination moment =
        backups.restored({.from = {backups.packed, backups.log()}, .to = on_first(backups.second)});
    EXPECT_EQ(moment.rung(), Rung::restored) << told(moment);
    EXPECT_EQ(rows(moment, "postgres.public.orders"), 1002u);

    const auto taken = [&](const std::string& name, const Arguments& how) {
        const std::string path = backups.directory.path() + "/" + name;
        Arguments all{std::string(scratch_bin_directory) + "/pg_basebackup",
                      "-D",
                      path,
                      "-Ft",
                      "-d",
                      backups.server->conninfo(),
                      "-c",
                      "fast",
                      "--no-sync"};
        all.insert(all.end(), how.begin(), how.end());
        backups.directory.run(all);
        return path;
    };
    backups.server->start();
    for (const Arguments& how : {Arguments{"-X", "stream"},
                                 {"-X", "stream", "-z"},
                                 {"-X", "fetch", "-z"},
                                 {"-X", "stream", "--compress=server-zstd"},
                                 {"-X", "stream", "--compress=lz4"}}) {
        const Examination restored =
            backups.restored({.from = {taken(fmt::format("{}", fmt::join(how, "")), how), {}}});
        EXPECT_EQ(restored.rung(), Rung::restored) << fmt::format("{}\n", fmt::join(how, " ")) << told(restored);
        EXPECT_EQ(rows(restored, "postgres.public.orders"), 1003u);
        EXPECT_EQ(get_string(restored.facts, "amcheck"), "clean");
    }
    const std::string space = backups.directory.path() + "/space";
    backups.directory.run({"mkdir", space});
    backups.server->sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", space));
    backups.server->sql("CREATE TABLE far TABLESPACE fast AS SELECT generate_series(1, 500) AS id");
    backups.server->sql("CHECKPOINT");
    const std::string plain = backups.directory.path() + "/plain";
    backups.directory.run({std::string(scratch_bin_directory) + "/pg_basebackup", "-D", plain, "-d",
                           backups.server->conninfo(), "-c", "fast", "--no-sync", "-T",
                           space + "=" + plain + "-space"});
    for (const std::string& path : {taken("spaced", {"-X", "stream", "-z"}), plain}) {
        const Examination spaced = backups.restored({.from = {path, {}}});
        EXPECT_EQ(spaced.rung(), Rung::restored) << told(spaced);
        EXPECT_EQ(rows(spaced, "postgres.public.far"), 500u);
    }
    backups.server->stop();
}

TEST(BaseRestore, BrokenTarIsDamage) {
    const Backups backups;
    const std::string tar = backups.packed + "/base.tar";
    fs::resize_file(tar, fs::file_size(tar) / 2);
    const Examination cut = backups.restored({.from = {backups.packed, {}}});
    EXPECT_THAT(told(cut), HasSubstr("restore-refused: it cannot be unpacked: base.tar: "));
    EXPECT_EQ(cut.rung(), Rung::none);
}

TEST(BaseRestore, LogThatMakesATablespaceIsGivenToNoServer) {
    const Backups backups;
    const std::string space = backups.directory.path() + "/space";
    backups.directory.run({"mkdir", space});
    backups.server->start();
    backups.server->sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", space));
    backups.server->sql("DROP TABLESPACE fast");
    backups.archive();
    backups.server->stop();
    const Examination restored =
        backups.restored({.from = {backups.packed, backups.log()}, .to = on_first(backups.third)});
    EXPECT_THAT(told(restored), HasSubstr("its log makes a tablespace"));
    EXPECT_TRUE(fs::is_empty(space));
}

TEST(BaseRestore, SaysWhatItDoesNotRestore) {
    const Backups backups;
    ASSERT_TRUE(write_file_atomically(backups.base + "/PG_VERSION", "99\n"));
    EXPECT_THAT(told(backups.restored({.from = {backups.base, {}}})),
                HasSubstr("PostgreSQL 99 is not on this machine"));
    const fs::path nothing = backups.directory.path() + "/nothing";
    fs::create_directories(nothing);
    const Examination none = backups.restored({.from = {nothing, {}}});
    EXPECT_THAT(none.findings.kept(), IsEmpty());
    EXPECT_THAT(told(none), HasSubstr("names no version"));
}

}  // namespace
}  // namespace kedge::verify
