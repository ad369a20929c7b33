// The contract on real Redis and Sentinels, and what only they can show.
#include "targets/redis/sentinel_redis.h"

#include <atomic>
#include <thread>

#include "targets/cache_contract.h"
#include "targets/redis/scratch_redis.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Writes numbered keys to the master, looking for it anew when a write is refused or the connection breaks.
class Writer {
public:
    explicit Writer(const ScratchRedis& group)
        : group_(group), thread_([this](const std::stop_token& stop) { write(stop); }) {}
    std::int64_t acknowledged() const { return acknowledged_; }
    CacheWorld::Written stop() {
        thread_.request_stop();
        thread_.join();
        RedisClient client(group_.endpoint(at_));
        std::vector<RedisCommand> reads;
        for (std::int64_t i = 0; i < acknowledged_; ++i) reads.push_back({"GET", "row:" + std::to_string(i)});
        const auto answers = client.ask(reads, Asking::reads, within(10s));
        if (!answers) check(false, answers.error().message);
        const auto missing =
            std::ranges::count_if(*answers, [](const Reply& reply) { return reply.kind != Reply::Kind::text; });
        return {acknowledged_, missing};
    }

private:
    void write(const std::stop_token& stop) {
        RedisClient east(group_.endpoint("east")), west(group_.endpoint("west"));
        while (!stop.stop_requested()) {
            RedisClient& client = at_ == "east" ? east : west;
            const auto answer =
                client.ask({{"SET", "row:" + std::to_string(acknowledged_), "x"}}, Asking::changes, within(10s, stop));
            if (answer && answer->front().as_text() == "OK") {
                ++acknowledged_;
            } else {
                at_ = at_ == "east" ? "west" : "east";
                wait_out(within(5ms, stop));
            }
        }
    }

    const ScratchRedis& group_;
    std::string at_ = "east";  // the writer's; read by `stop` when it has ended
    std::atomic<std::int64_t> acknowledged_ = 0;
    std::jthread thread_;
};

class ScratchWorld final : public CacheWorld {
public:
    ScratchWorld() {
        for (int i = 0; i < 10; ++i) group_.ask("east", {"SET", "seed:" + std::to_string(i), "x"});
    }
    Cache& cache() override { return cache_; }
    Moment now() const override { return SystemClock{}.now(); }
    bool await(const std::function<bool()>& condition, Span limit) override {
        for (const Moment end = now() + limit; now() < end; wait_out(within(10ms)))
            if (condition()) return true;
        return false;
    }
    Span down_after() const override { return 4s; }
    void start_writing() override { writer_ = std::make_unique<Writer>(group_); }
    std::int64_t acknowledged() const override { return writer_->acknowledged(); }
    Written stop_writing() override { return writer_->stop(); }
    std::string listed_as(const std::string& sentinel) const override { return to_string(group_.endpoint(sentinel)); }
    void kill(const std::string& name) override { group_.kill(name); }
    void freeze(const std::string& name) override { group_.freeze(name); }
    void thaw(const std::string& name) override { group_.thaw(name); }
    void restart(const std::string& name) override { group_.restart(name); }
    std::string start_beside(std::int64_t keys) override {
        beside_ = std::make_unique<ScratchRedis>(ScratchRedisOptions{.regions = {"alone"}});
        for (std::int64_t i = 0; i < keys; ++i) beside_->ask("alone", {"SET", "beside:" + std::to_string(i), "x"});
        return to_string(beside_->endpoint("alone"));
    }
    void mislead(const std::string& sentinel, const std::string& region) override {
        const Endpoint at = group_.endpoint(region);
        const std::string name = group_.settings().master_name;
        EXPECT_EQ(group_.ask(sentinel, {"SENTINEL", "REMOVE", name}), "OK");
        EXPECT_EQ(group_.ask(sentinel, {"SENTINEL", "MONITOR", name, at.host, std::to_string(at.port), "2"}), "OK");
    }
    ScratchRedis& group() { return group_; }

private:
    ScratchRedis group_{{.down_after = 4s}};
    std::unique_ptr<ScratchRedis> beside_;
    SentinelRedis cache_{group_.settings()};
    std::unique_ptr<Writer> writer_;
};

std::unique_ptr<CacheWorld> make_scratch_world() {
    return std::make_unique<ScratchWorld>();
}
INSTANTIATE_TEST_SUITE_P(Sentinel, CacheContract, testing::Values(&make_scratch_world));

// Groups that differ from the contract's.
struct SentinelRedisCases : testing::Test {
    static Moment soon() { return SystemClock{}.now() + 2s; }
    static bool await(const std::function<bool()>& condition, Span limit = 15s) {
        for (const Moment end = SystemClock{}.now() + limit; SystemClock{}.now() < end; wait_out(within(20ms)))
            if (condition()) return true;
        return false;
    }
    template <class T>
    static void expect_error(const Result<T>& result, Fault fault, const std::string& words) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, fault) << result.error().message;
        EXPECT_THAT(result.error().message, HasSubstr(words));
    }
};

TEST_F(SentinelRedisCases, NeedsNoOtherRightsThanThoseThatAreDocumented) {
    // The table at the head of sentinel_redis.h.
    const std::string nodes =
        "user kedge on >secret ~kedge:* +role +info +config|get +config|set +client|pause +client|unpause +replicaof "
        "+set +get +bgsave +bgrewriteaof";
    const std::string sentinels =
        "user kedge on >secret +sentinel|get-master-addr-by-name +sentinel|master +sentinel|ckquorum "
        "+sentinel|replicas +sentinel|failover +sentinel|set +info";
    const ScratchRedis group({.node_settings = {nodes}, .sentinel_settings = {sentinels}});
    SentinelRedisSettings settings = group.settings();
    settings.node_login = settings.sentinel_login = RedisLogin{"kedge", "secret"};
    SentinelRedis cache(settings);
    EXPECT_EQ(cache.look("east", soon())->min_replicas_to_write, 0);
    EXPECT_EQ(cache.sentinels(soon())->at(0).quorum, Truth::yes);
    EXPECT_TRUE(cache.write_canary("east", "r-1/canary", soon()));
    EXPECT_TRUE(cache.pause_writes("east", 2s, soon()));
    EXPECT_TRUE(cache.fail_over("west", soon()));
    EXPECT_TRUE(await([&] { return cache.look("west", soon())->master == Truth::yes; }));
    EXPECT_TRUE(cache.follow("east", "west", soon()));
    EXPECT_TRUE(cache.resume_writes("east", soon()));
    EXPECT_TRUE(cache.persist("west", soon()));
    EXPECT_TRUE(cache.set_down_after({{to_string(group.endpoint("sentinel-west")), 9s}}, soon()));

    group.ask("west", {"ACL", "SETUSER", "kedge", "-set"});
    expect_error(cache.write_canary("west", "r-1/canary", soon()), Fault::not_allowed, "NOPERM");
    settings.node_login = RedisLogin{"kedge", "wrong"};
    expect_error(SentinelRedis(settings).look("east", soon()), Fault::not_allowed, "WRONGPASS");
}

TEST_F(SentinelRedisCases, SaysThatNoSentinelKnowsTheMastersName) {
    const ScratchRedis group;
    SentinelRedisSettings settings = group.settings();
    settings.master_name = "another-master";
    SentinelRedis cache(settings);
    expect_error(cache.fail_over("west", soon()), Fault::not_found, "No such master");
    EXPECT_EQ(cache.sentinels(soon())->at(0).master, std::nullopt);
}

TEST_F(SentinelRedisCases, TellsOfASentinelWithAnotherQuorumThanTheEstates) {
    const ScratchRedis group;
    SentinelRedisSettings settings = group.settings();
    settings.quorum = 3;
    EXPECT_THAT(SentinelRedis(settings).sentinels(soon())->at(0).says, HasSubstr("its quorum is 2, the estate says 3"));
}

TEST_F(SentinelRedisCases, MakesTheWantedOneOfThreeTheSentinelsChoice) {
    const ScratchRedis group({.regions = {"east", "middle", "west"}});
    SentinelRedis cache(group.settings());
    expect_error(cache.fail_over("west", soon()), Fault::unavailable, "has not seen it yet");
    EXPECT_EQ(group.ask("west", {"CONFIG", "GET", "replica-priority"}), "replica-priority 1");
    EXPECT_TRUE(await([&] { return cache.fail_over("west", soon()).has_value(); }));
    EXPECT_TRUE(await([&] { return cache.look("west", soon())->master == Truth::yes; }));
    EXPECT_TRUE(await([&] { return cache.look("middle", soon())->follows == "west"; }));
}

TEST_F(SentinelRedisCases, RefusesAReplicaThatMustNeverBePromoted) {
    const ScratchRedis group({.node_settings = {"replica-priority 0"}});
    expect_error(SentinelRedis(group.settings()).fail_over("west", soon()), Fault::refused, "replica-priority 0");
}

TEST_F(SentinelRedisCases, TellsAMasterThatCannotSaveAndOneWithTooFewReplicas) {
    // A snapshot cannot be written: the name of its file is taken by a directory.
    const ScratchRedis group(
        {.node_settings = {"save 3600 1", "dbfilename appendonlydir", "repl-diskless-load swapdb"}});
    SentinelRedis cache(group.settings());
    EXPECT_EQ(group.ask("east", {"CONFIG", "SET", "min-replicas-to-write", "2"}), "OK");
    EXPECT_EQ(cache.look("east", soon())->min_replicas_to_write, 2);
    expect_error(cache.write_canary("east", "canary", soon()), Fault::refused, "NOREPLICAS");
    EXPECT_EQ(group.ask("east", {"CONFIG", "SET", "min-replicas-to-write", "0"}), "OK");
    group.ask("east", {"BGSAVE"});
    ASSERT_TRUE(await([&] {
        return group.ask("east", {"INFO", "persistence"}).find("rdb_last_bgsave_status:err") != std::string::npos;
    }));
    expect_error(cache.write_canary("east", "canary", soon()), Fault::refused, "MISCONF");
}

// A data set is brought back from a server beside the group: here from another group's master.
TEST_F(SentinelRedisCases, CopiesADataSetFromAServerBesideTheGroup) {
    const ScratchRedis group, beside({.regions = {"alone"}});
    const std::string address = to_string(beside.endpoint("alone"));
    beside.ask("alone", {"SET", "brought", "back"});
    group.ask("east", {"SET", "replaced", "x"});
    SentinelRedis cache(group.settings());
    EXPECT_EQ(cache.look_beside(address, soon())->keys, 1);
    expect_error(cache.take_over("west", address, soon()), Fault::conflict, "no master");
    expect_error(cache.take_over("east", to_string(group.endpoint("west")), soon()), Fault::refused, "no master");

    ASSERT_TRUE(cache.take_over("east", address, soon()));
    EXPECT_TRUE(cache.take_over("east", address, soon())) << "it may be asked again";
    ASSERT_TRUE(await([&] {
        const CacheLook east = *cache.look("east", soon());
        return east.link_up == Truth::yes && east.follows == address && east.keys == 1;
    }));
    expect_error(cache.lead("west", soon()), Fault::refused, "a node of the group");
    ASSERT_TRUE(cache.lead("east", soon()));
    EXPECT_TRUE(cache.lead("east", soon())) << "it may be asked again";
    EXPECT_EQ(cache.look("east", soon())->master, Truth::yes);
    EXPECT_EQ(group.ask("east", {"GET", "brought"}), "back");
    EXPECT_TRUE(await([&] {
        const CacheLook west = *cache.look("west", soon());
        return west.follows == "east" && west.link_up == Truth::yes && west.keys == 1;
    }));
    EXPECT_EQ(cache.sentinels(soon())->at(0).master, "east");
}

TEST_F(SentinelRedisCases, WritesAllToItsDiskWithAnAppendOnlyFileAndWithout) {
    const ScratchRedis group;
    SentinelRedis cache(group.settings());
    for (const std::string setting : {"yes", "no"}) {
        for (const char* region : {"east", "west"}) group.ask(region, {"CONFIG", "SET", "appendonly", setting});
        ASSERT_TRUE(await([&] { return cache.look("east", soon())->saving == Truth::no; }));
        ASSERT_EQ(cache.look("east", soon())->append_only, truth(setting == "yes"));
        group.ask("east", {"SET", "kept", setting});
        ASSERT_TRUE(cache.persist("east", soon()));
        ASSERT_TRUE(await([&] {
            const CacheLook look = *cache.look("east", soon());
            return look.saving == Truth::no && look.saved == Truth::yes;
        }));
    }
    EXPECT_THAT(group.ask("east", {"INFO", "persistence"}), HasSubstr("rdb_changes_since_last_save:0"));
}

}  // namespace
}  // namespace kedge
