// backup window, on what a real server archived and pg_basebackup made of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/cli_world.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A base backup, then three commits with the server's time between each two.
struct Backups {
    Backups() {
        auto server = ScratchServer::initialize(directory, "server");
        directory.run({"mkdir", wal});
        server->configure("archive_mode = on");
        server->configure(fmt::format("archive_command = 'cp %p {}/%f'", wal));
        server->start();
        server->sql("CREATE TABLE t (id int)");
        before = time_of(*server);
        directory.run({"mkdir", base});
        directory.run({std::string(scratch_bin_directory) + "/pg_basebackup", "-D", base + "/monday", "-d",
                       server->conninfo(), "-c", "fast", "--no-sync", "-X", "none"});
        for (Moment* after : {&first, &second, &third}) {
            server->sql("INSERT INTO t VALUES (1)");
            *after = time_of(*server);
        }
        const std::string last = server->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(server->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the log is archived");
        server->stop();
    }
    static Moment time_of(const ScratchServer& server) {
        return Moment(std::chrono::microseconds(
            std::stoll(server.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))));
    }

    ScratchDirectory directory;
    const std::string wal = directory.path() + "/wal", base = directory.path() + "/base";
    Moment before, first, second, third;
};

// With microseconds, which a commit a moment later needs.
std::string exactly(Moment moment) {
    const auto fraction = moment.time_since_epoch().count() % 1'000'000;
    const std::string text = to_string(moment);
    return fmt::format("{}.{:06}Z", text.substr(0, text.find('.')), fraction);
}

Outcome ask(const CliWorld& world, const Backups& backups, std::vector<std::string> more) {
    std::vector<std::string> words{"backup", "window", "--base", backups.base, "--wal", backups.wal};
    words.insert(words.end(), more.begin(), more.end());
    return world.run(words);
}

TEST(BackupWindow, SaysWhatARealArchiveReaches) {
    const Backups backups;
    const CliWorld world;
    const Outcome all = ask(world, backups, {});
    EXPECT_EQ(all.code, 0) << all.errors;
    EXPECT_THAT(all.out, HasSubstr("monday"));

    const Outcome yes = ask(world, backups, {"--at", exactly(backups.second), "--json"});
    EXPECT_EQ(yes.code, 0) << yes.out << yes.errors;
    const Json recovery = parse_json(yes.out).value()["item"]["recovery"];
    EXPECT_EQ(recovery["possible"], true);
    EXPECT_EQ(recovery["timeline"], 1);
    EXPECT_LE(parse_moment(recovery["last_transaction"].get<std::string>()).value(), backups.second);
    EXPECT_GE(parse_moment(recovery["last_transaction"].get<std::string>()).value(),
              backups.first - std::chrono::milliseconds(1));

    const Outcome early = ask(world, backups, {"--at", exactly(backups.before - std::chrono::hours(1))});
    EXPECT_EQ(early.code, 15);
    EXPECT_THAT(early.out, HasSubstr("nearest after"));
    const Outcome late = ask(world, backups, {"--at", exactly(backups.third)});
    EXPECT_EQ(late.code, 15);
    EXPECT_THAT(late.out, HasSubstr("nearest before"));
}

TEST(BackupWindow, SaysWhatItLacks) {
    const CliWorld world;
    fs::create_directories(world.directory + "/store/base");
    fs::create_directories(world.directory + "/store/wal");
    const Outcome none = world.run("backup window --estate " + world.directory + "/none.yaml");
    EXPECT_EQ(none.code, 4) << none.errors;
    const Outcome empty = world.run("backup window --base " + world.directory + "/store/base");
    EXPECT_EQ(empty.code, 4) << empty.errors;
    EXPECT_THAT(empty.errors, HasSubstr("there is no base backup"));
    EXPECT_EQ(world.run("backup window --wal " + world.directory).code, 3);
    EXPECT_EQ(world.run("backup window --at yesterday").code, 2);
}

}  // namespace
}  // namespace kedge
