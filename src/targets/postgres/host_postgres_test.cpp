// The driver `host` against two real servers: the contract of every database, and what is its own.
#include "targets/postgres/host_postgres.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "os/clock.h"
#include "os/files.h"
#include "os/wait.h"
#include "targets/postgres/scratch_cluster.h"
#include "targets/unmanaged_database_contract.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Fence of a scratch server: its state is a number in a file, which `look` exits with.
constexpr const char* fence_script = R"sh(
state=$1/fence
data=$2
case $3 in
look) read -r code <"$state"; echo "the fence's file says $code"; exit "$code" ;;
raise) pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) && { pkill -9 -P "$pid"; kill -9 "$pid"; } 2>/dev/null
       echo 0 >"$state"; echo "killed" ;;
lower) echo 1 >"$state"; echo "down" ;;
esac
)sh";

class HostWorld final : public DatabaseWorld {
public:
    HostWorld() {
        east_ = ScratchServer::initialize(directory_, "east");
        east_->start();
        east_->sql("CREATE TABLE orders (id int, note text)");
        west_ = ScratchServer::standby_of(*east_, "west");
        west_->start();
        EXPECT_TRUE(west_->await("SELECT status FROM pg_stat_wal_receiver", "streaming"));
        HostPostgresSettings settings{.name = "orders-db", .database = "postgres"};
        for (ScratchServer* server : {east_.get(), west_.get()}) settings.sites[server->name()] = site(*server);
        database_ = std::move(HostPostgres::create(std::move(settings))).value();
    }

    HostSite site(const ScratchServer& server) {
        const auto fence = [&](const char* verb) {
            return Arguments{"sh", "-c", fence_script, "fence", fence_directory(server.name()), server.data_directory(),
                             verb};
        };
        std::filesystem::create_directory(fence_directory(server.name()));
        HostSite site;
        site.connection = site.replication = server.conninfo();
        site.host.data_directory = server.data_directory();
        site.fence = {.look = fence("look"), .raise = fence("raise"), .lower = fence("lower")};
        set_fence(server.name(), Truth::no);
        return site;
    }

    Database& database() override { return *database_; }
    Moment now() override { return SystemClock{}.now(); }
    bool await(const std::function<bool()>& holds) override {
        for (const Moment end = now() + 30s; now() < end; wait_out(within(10ms)))
            if (holds()) return true;
        return false;
    }
    std::string scratch_directory() override { return directory_.path() + "/export"; }

    void kill(const std::string& region) override { server(region).kill(); }
    void freeze(const std::string& region) override { server(region).freeze(); }
    void thaw(const std::string& region) override { server(region).thaw(); }
    void pause_replay(const std::string& region) override { server(region).sql("SELECT pg_wal_replay_pause()"); }
    void stop_receiving(const std::string& region) override {
        server(region).sql("ALTER SYSTEM SET primary_conninfo = ''");
        server(region).sql("SELECT pg_reload_conf()");
        EXPECT_TRUE(server(region).await("SELECT count(*) FROM pg_stat_wal_receiver", "0"));
    }
    void insert_orders(const std::string& region, int count) override {
        server(region).sql(fmt::format("INSERT INTO orders SELECT i, 'new' FROM generate_series(1, {}) i", count));
    }
    std::int64_t count_orders(const std::string& region) override {
        return std::stoll(server(region).ask("SELECT count(*) FROM orders").value_or("-1"));
    }
    void set_fence(const std::string& region, Truth up) override {
        std::ofstream{fence_directory(region) + "/fence"} << (up == Truth::yes ? 0 : up == Truth::no ? 1 : 7) << '\n';
    }
    void drop_database() override {
        const auto other = Connection::open({server("east").conninfo(), {}, "template1"}, now() + 5s).connection;
        ASSERT_TRUE(other != nullptr);
        const auto dropped = other->exchange({{{"DROP DATABASE postgres WITH (FORCE)", {}}}}, now() + 30s);
        ASSERT_TRUE(dropped.answers.front().committed);
    }
    void put_under_manager(const std::string& region) override {
        manager_ = Connection::open({server(region).conninfo()}, now() + 5s).connection;
        ASSERT_TRUE(manager_ != nullptr);
        EXPECT_FALSE(manager_->exchange({{{"SET application_name = 'Patroni'", {}}}}, now() + 5s).lost);
    }

    ScratchServer& server(const std::string& region) { return region == "east" ? *east_ : *west_; }
    const ScratchDirectory& directory() const { return directory_; }

private:
    std::string fence_directory(const std::string& region) const {
        return fmt::format("{}/fence-{}", directory_.path(), region);
    }

    ScratchDirectory directory_;
    std::unique_ptr<ScratchServer> east_, west_;
    std::unique_ptr<HostPostgres> database_;
    std::unique_ptr<Connection> manager_;
};

std::unique_ptr<DatabaseWorld> make_host_world() {
    return std::make_unique<HostWorld>();
}

INSTANTIATE_TEST_SUITE_P(Host, DatabaseContract, testing::Values(make_host_world));
INSTANTIATE_TEST_SUITE_P(Host, UnmanagedDatabaseContract, testing::Values(make_host_world));

// What is the host driver's own.
class Host : public testing::Test {
protected:
    HostWorld world;
    Database& database = world.database();

    Moment soon(Span span = 10s) { return world.now() + span; }
    ScratchServer& east = world.server("east");
    ScratchServer& west = world.server("west");

    // East is dead, west is primary and past a checkpoint.
    void fail_over() {
        east.kill();
        ASSERT_TRUE(database.promote("west", soon()).has_value());
        ASSERT_TRUE(west.await("SELECT pg_is_in_recovery()", "f"));
    }
    // What east's look says once its rejoin has ended.
    std::string ended_rejoin() {
        EXPECT_TRUE(world.await([&] { return !database.look("east", soon())->rejoin; }));
        return database.look("east", soon())->says;
    }
    bool exists_beside(const char* what) { return exists(east.data_directory() + ".kedge-" + what); }
};

TEST_F(Host, KeepsItsOwnSettingsAndLogsWhenItIsRewound) {
    east.configure("work_mem = '7MB'");
    const std::string log = east.log();
    fail_over();
    ASSERT_TRUE(database.rejoin("east", "west", RejoinBy::rewind, soon()).has_value());
    EXPECT_EQ(ended_rejoin().find("failed"), std::string::npos);
    EXPECT_EQ(east.sql("SHOW work_mem"), "7MB");
    EXPECT_EQ(east.sql("SHOW cluster_name"), "east");
    EXPECT_EQ(east.log().substr(0, log.size()), log);
    for (const char* what : {"rejoin", "kept", "passfile"}) EXPECT_FALSE(exists_beside(what)) << what;
}

TEST_F(Host, SeesAServerWhoseDatabaseIsClosed) {
    const auto other = Connection::open({east.conninfo(), {}, "template1"}, soon()).connection;
    ASSERT_TRUE(other != nullptr);
    const auto closed = other->exchange({{{"ALTER DATABASE postgres ALLOW_CONNECTIONS false", {}}},
                                         {{"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                                           " 'postgres'",
                                           {}}}},
                                        soon());
    ASSERT_TRUE(closed.answers.back().committed);
    const DatabaseLook seen = database.look("east", soon()).value();
    EXPECT_EQ(seen.serves, Truth::no);
    EXPECT_EQ(seen.writable, Truth::yes);
    EXPECT_NE(seen.says.find("its database postgres is closed"), std::string::npos) << seen.says;
}

TEST_F(Host, MakesTheSlotThatAStandbyStreamsFrom) {
    east.configure("primary_slot_name = 'east_slot'");
    fail_over();
    ASSERT_TRUE(database.rejoin("east", "west", RejoinBy::rewind, soon()).has_value());
    EXPECT_EQ(ended_rejoin().find("failed"), std::string::npos);
    EXPECT_EQ(west.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'east_slot'"), "t");
}

// A crash in the middle of pg_rewind leaves a data directory that no second pg_rewind repairs.
TEST_F(Host, MakesABaseBackupAfterARewindThatWasCutShort) {
    fail_over();
    world.directory().run({"tee", east.data_directory() + ".kedge-rejoin"}, "rewinding");
    std::filesystem::remove(east.data_directory() + "/global/pg_control");
    ASSERT_TRUE(database.rejoin("east", "west", RejoinBy::rewind, soon()).has_value());
    EXPECT_EQ(ended_rejoin().find("failed"), std::string::npos);
    EXPECT_EQ(database.look("east", soon())->receiving, Truth::yes);
    EXPECT_TRUE(world.await([&] { return !exists_beside("old"); }));
    EXPECT_FALSE(exists_beside("rejoin"));
}

TEST_F(Host, FinishesABaseBackupThatWasCutShort) {
    fail_over();
    const std::string data = east.data_directory();
    const auto run = [&](const Arguments& arguments, const std::string& input = {}) {
        world.directory().run(arguments, input);
    };
    run({"mkdir", data + ".kedge-kept"});
    run({"cp", "-a", data + "/postgresql.conf", data + ".kedge-kept"});
    run({"mv", data, data + ".kedge-old"});
    run({"mkdir", data});
    run({"touch", data + "/half"});
    run({"tee", data + ".kedge-rejoin"}, "copying");
    const auto asked = database.rejoin("east", "west", RejoinBy::base_backup, soon());
    ASSERT_TRUE(asked.has_value()) << asked.error().message;
    const std::string says = ended_rejoin();
    ASSERT_EQ(says.find("failed"), std::string::npos) << says;
    EXPECT_EQ(database.look("east", soon())->receiving, Truth::yes);
    EXPECT_EQ(east.sql("SHOW cluster_name"), "east");
    EXPECT_FALSE(exists(data + "/half"));
}

TEST_F(Host, PutsTheOldCopyBackWhenTheBaseBackupFails) {
    fail_over();
    west.sql("ALTER SYSTEM SET max_wal_senders = 0");
    west.sql("ALTER SYSTEM SET wal_level = 'minimal'");
    west.stop();
    west.start();
    const auto asked = database.rejoin("east", "west", RejoinBy::base_backup, soon());
    ASSERT_TRUE(asked.has_value()) << asked.error().message;
    EXPECT_NE(ended_rejoin().find("its last rejoin failed"), std::string::npos);
    EXPECT_TRUE(exists(east.data_directory() + "/PG_VERSION"));
    EXPECT_FALSE(exists_beside("old"));
    EXPECT_FALSE(exists_beside("rejoin"));
}

TEST_F(Host, RefusesToRewindAServerThatNotesTooLittle) {
    east.stop();
    world.directory().run(
        {std::string(scratch_bin_directory) + "/pg_checksums", "--disable", "-D", east.data_directory()});
    east.configure("wal_log_hints = off");
    east.start();
    fail_over();
    const auto asked = database.rejoin("east", "west", RejoinBy::rewind, soon());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().fault, Fault::refused);
    EXPECT_NE(asked.error().hint.find("base backup"), std::string::npos);
}

TEST_F(Host, CountsAStrandedTransactionThatWasOpenAtTheFork) {
    east.sql("CREATE TABLE invoices (id int)");
    auto session = Connection::open({east.conninfo()}, soon()).connection;
    ASSERT_TRUE(session != nullptr);
    EXPECT_FALSE(session->exchange({{{"BEGIN", {}}, {"INSERT INTO invoices VALUES (1), (2)", {}}}}, soon()).lost);
    east.sql("SELECT pg_switch_wal()");
    ASSERT_TRUE(world.await(
        [&] { return west.sql("SELECT pg_last_wal_replay_lsn()") == east.sql("SELECT pg_current_wal_lsn()"); }));
    world.stop_receiving("west");
    EXPECT_FALSE(session->exchange({{{"INSERT INTO invoices VALUES (3)", {}}, {"COMMIT", {}}}}, soon()).lost);
    east.sql("CREATE TABLE only_here AS SELECT 1 AS id");
    fail_over();
    const auto tail = database.export_stranded("east", "west", world.scratch_directory(), soon());
    ASSERT_TRUE(tail.has_value()) << tail.error().message;
    EXPECT_EQ(tail->transactions, 2);
    std::map<std::string, std::int64_t> rows(tail->changes_by_table.begin(), tail->changes_by_table.end());
    EXPECT_EQ(rows["public.invoices"], 3);
    EXPECT_EQ(std::ranges::count_if(rows, [](const auto& table) { return table.first.starts_with("base/"); }), 1)
        << "a table that only the old primary has keeps its path";
    EXPECT_NE(read_file(tail->kept_at + "/summary.txt").value_or("").find("public.invoices"), std::string::npos);
    EXPECT_NE(read_file(tail->kept_at + "/records.txt").value_or("").find("COMMIT"), std::string::npos);
}

// Without help most of these take 5 s: docs/design/0003-promotion-wait.md.
// How long it takes is measured elsewhere; here it must come to its end although the standby may be asleep.
TEST(HostPromotion, ComesToItsEndWhenItFollowsTheEndOfThePrimaryAtOnce) {
    HostWorld world;
    EXPECT_EQ(world.database().look("west", world.now() + 5s)->retrieve_retry, 5s);
    world.kill("east");
    ASSERT_TRUE(world.database().promote("west", world.now() + 10s).has_value());
    EXPECT_TRUE(world.server("west").await("SELECT pg_is_in_recovery()", "f"));
}

TEST(HostSettings, AreRefusedWhenTheyCannotWork) {
    const auto refusal = [](const std::function<void(HostPostgresSettings&)>& spoil) {
        HostPostgresSettings settings{.name = "db"};
        HostSite& site = settings.sites["east"];
        site.connection = "host=127.0.0.1 user=postgres";
        site.host.data_directory = "/srv/data";
        spoil(settings);
        const auto made = HostPostgres::create(settings);
        return made ? std::string{} : made.error().message;
    };
    EXPECT_EQ(refusal([](auto&) {}), "");
    EXPECT_NE(refusal([](auto& it) { it.sites["east"].connection += " password=x"; }).find("password"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& it) { it.sites["east"].connection = "hots=1"; }).find("hots"), std::string::npos);
    EXPECT_NE(refusal([](auto& it) { it.sites["east"].replication = "user=x"; }).find("no host"), std::string::npos);
    EXPECT_NE(refusal([](auto& it) { it.sites["east"].host.data_directory = "data"; }).find("'data'"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& it) { it.probe_schema = "a; DROP"; }).find("a; DROP"), std::string::npos);
}

}  // namespace
}  // namespace kedge
