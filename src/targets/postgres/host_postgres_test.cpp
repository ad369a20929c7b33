// The driver `host` against two real servers: the contract of every database, and what is its own.
#include "targets/postgres/host_postgres.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "os/clock.h"
#include "os/files.h"
#include "os/wait.h"
#include "targets/database_contract.h"
#include "targets/postgres/scratch_cluster.h"

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

}  // namespace
}  // namespace kedge
