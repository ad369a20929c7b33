// Real servers and `kedge recover` itself keep the contract of recoveries.
#include "recover/own_recoveries.h"

#include <signal.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "backup/scratch_estate.h"
#include "erasure/ledger.h"
#include "recover/recovery.h"
#include "recover/scratch_databases.h"
#include "targets/recoveries_contract.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Production and its archive.
class Shop {
public:
    Shop() {
        // Every server has one; those of tests are made without.
        world.server->sql("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false");
        world.server->sql("CREATE DATABASE shop");
        ask("CREATE TABLE numbered (id bigint PRIMARY KEY); CREATE TABLE people (id text PRIMARY KEY)");
        const auto replace = [&](const std::string& what, const std::string& with) {
            world.text.replace(world.text.find(what), what.size(), with);
        };
        replace("database: postgres", "database: shop");
        replace("look: [/f, l]", fmt::format("look: [/usr/bin/test, -e, {}]", fence));
        world.text +=
            fmt::format("erasure:\n  ledger: {}\n  of: db\n  tables: {{public.people: {{key: id}}}}\n", ledger);
        auto parsed = parse_estate("estate.yaml", world.text);
        check(parsed.has_value(), "the estate of the test can be read");
        world.estate = std::move(*parsed);
        world.create("images");
    }
    std::string ask(const std::string& sql) const { return ScratchDatabases::in(*world.server, "shop", sql); }

    backup::World world;
    const std::string place = world.directory.path() + "-recovered", fence = world.directory.path() + "/fence",
                      ledger = world.directory.path() + "/ledger.jsonl";
};

// One shop serves a test after the other, as long as its log leads on from the base backup and nothing failed.
class OwnRecoveriesWorld final : public RecoveriesWorld {
public:
    OwnRecoveriesWorld() {
        if (!shop_) shop_ = std::make_unique<Shop>();
        static int worlds = 0;
        state_ = fmt::format("{}/state-{}", shop_->world.directory.path(), ++worlds);
        shop_->ask("TRUNCATE numbered");
        set_ledger(true);
        write(1);
        recoveries_ = std::make_unique<OwnRecoveries>(OwnRecoveriesSettings{
            .estate = shop_->world.estate, .state_directory = state_, .program = KEDGE_PROGRAM, .place = shop_->place});
    }
    ~OwnRecoveriesWorld() override {
        recoveries_.reset();
        const auto all = kedge::recover::recoveries(state_);
        EXPECT_TRUE(all);
        for (const Recovery& one : all.value_or(std::vector<Recovery>{}))
            EXPECT_TRUE(one.stage == Stage::chosen || clear_directory(one, {}));
        fs::remove_all(shop_->place);
        if (is_spoiled_ || testing::Test::HasFailure()) shop_.reset();
    }

    Recoveries& recoveries() override { return *recoveries_; }
    Moment now() const override { return SystemClock{}.now(); }
    void pass() override { wait_out(within(50ms)); }  // a look asks the copy itself, which takes as long
    void write(std::int64_t row) override {
        shop_->ask(fmt::format("INSERT INTO numbered VALUES ({})", row));
        shop_->world.archive();
    }
    std::set<std::int64_t> rows() override {
        std::istringstream lines(shop_->ask("SELECT id FROM numbered"));
        return {std::istream_iterator<std::int64_t>(lines), {}};
    }
    void lose_segment() override {
        is_spoiled_ = true;
        const std::string lost = shop_->world.server->sql("SELECT pg_walfile_name(pg_switch_wal())");
        write(17);
        ASSERT_TRUE(fs::remove(shop_->world.store + "/wal/" + lost));
    }
    void dump() override {
        fs::remove_all(dumps());
        shop_->world.create("nightly");
    }
    void damage_dump() override {
        for (const auto& entry : fs::recursive_directory_iterator(dumps())) {
            if (entry.path().extension() != ".dump") continue;
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(static_cast<std::streamoff>(entry.file_size()) / 2);
            ASSERT_TRUE(file.write("spoiled", 7));
        }
    }
    void drop_database() override { shop_->world.server->sql("DROP DATABASE shop WITH (FORCE)"); }
    void set_ledger(bool readable) override {
        ASSERT_TRUE(write_file_atomically(shop_->ledger, readable ? "" : "nobody can read this\n"));
    }
    void stop_production() override { shop_->world.server->stop(); }
    void start_production() override { shop_->world.server->start(); }
    void set_fence(bool up) override {
        is_spoiled_ = true;  // behind it the log changes over to another timeline
        fs::remove(shop_->fence);
        ASSERT_TRUE(!up || write_file_atomically(shop_->fence, ""));
    }
    void kill_work() override {
        std::optional<pid_t> worker;
        ASSERT_TRUE(await([&] {
            const auto all = kedge::recover::recoveries(state_);
            worker = find_worker();
            return all && !all->empty() && all->front().stage == Stage::working && worker;
        })) << "it is being made";
        ASSERT_EQ(kill(*worker, SIGKILL), 0);
    }
    void end_copy(const std::string& name) override {
        std::istringstream file(read_file(fmt::format("{}/{}/data/postmaster.pid", shop_->place, name)).value_or(""));
        pid_t postmaster = 0;
        ASSERT_TRUE(file >> postmaster);
        ASSERT_EQ(kill(postmaster, SIGQUIT), 0);
    }

private:
    static std::string dumps() { return shop_->world.store + "/dumps"; }

    // The `kedge recover` of this world.
    std::optional<pid_t> find_worker() const {
        for (const auto& entry : fs::directory_iterator("/proc")) {
            const std::string name = entry.path().filename();
            pid_t pid = 0;
            if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
            const std::string words = read_file(entry.path() / "cmdline").value_or("");
            if (words.starts_with(KEDGE_PROGRAM) && words.find(state_) != std::string::npos) return pid;
        }
        return std::nullopt;
    }

    static std::unique_ptr<Shop> shop_;
    std::string state_;
    std::unique_ptr<OwnRecoveries> recoveries_;
    bool is_spoiled_ = false;
};

std::unique_ptr<Shop> OwnRecoveriesWorld::shop_;

INSTANTIATE_TEST_SUITE_P(Own, RecoveriesContract,
                         testing::Values([] { return std::make_unique<OwnRecoveriesWorld>(); }));

}  // namespace
}  // namespace kedge::recover
