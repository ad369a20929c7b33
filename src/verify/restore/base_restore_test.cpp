// A real server's base backup and log, given to a server of our own.
#include "verify/restore/base_restore.h"

#include <fmt/format.h>
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
        auto server = ScratchServer::initialize(directory, "server");
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
        const std::string last = server->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(server->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the log is archived");
        server->stop();
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

TEST(BaseRestore, SaysWhatItDoesNotRestore) {
    const Backups backups;
    const Examination packed = backups.restored({.from = {backups.packed, {}}});
    EXPECT_THAT(packed.findings.kept(), IsEmpty());
    EXPECT_THAT(told(packed), HasSubstr("only a backup in plain form"));

    ASSERT_TRUE(write_file_atomically(backups.base + "/PG_VERSION", "99\n"));
    EXPECT_THAT(told(backups.restored({.from = {backups.base, {}}})),
                HasSubstr("PostgreSQL 99 is not on this machine"));
}

}  // namespace
}  // namespace kedge::verify
