// A Redis data set that is really lost in the real lab, and brought back by the plan: flushed, or its files deleted;
// with a corrupt newest snapshot; with the append-only file on and off; and with the controller killed on its way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"
#include "lab/observe.h"
#include "lab/supervisor_client.h"
#include "lab_world.h"
#include "os/clock.h"

namespace kedge::lab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* east = "redis-us-east-1";
constexpr const char* west = "redis-us-west-2";
constexpr int rows = 300;

class RedisRecovery : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(world_.is_up()) << world_.trouble();
        person_ = world_.sql("postgres-us-east-1", "SELECT id FROM users LIMIT 1");
        const RunOutput erased =
            world_.kedge({"erasure", "add", person_, "--reason", "asked for it", "--source", "a letter"});
        ASSERT_TRUE(erased.exit.ok()) << erased.err;
        ASSERT_EQ(ask(east, {"EVAL",
                             "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'data:' .. i, i) end return "
                             "redis.call('DBSIZE') > 0",
                             "0", std::to_string(rows)}),
                  "1");
        ask(east, {"SET", "session:erased", dump(Json{{"user_id", person_}})});
        ask(east, {"SET", "session:other", R"({"user_id":"somebody else"})"});
        ask(east, {"SET", "brief", "x", "PX", "500"});
        snapshot_ = take();
    }
    void TearDown() override { world_.kedge({"recover", "discard", "lost", "--confirm", "lost"}); }

    // One answer of a node, as redis-cli prints it.
    static std::string ask(const std::string& component, const Arguments& words) {
        const Place& place = *find_place(component);
        Arguments line = {"redis-cli", "-h", std::string(place.host), "-p", std::to_string(place.port)};
        line.insert(line.end(), words.begin(), words.end());
        const auto output = run(line, kedge::within(30s));
        if (!output || !output->exit.ok()) return "no answer";
        return output->out.substr(0, output->out.find('\n'));
    }
    static std::string info(const std::string& component, const std::string& section, const std::string& field) {
        const auto answer = ask_redis(*find_place(component), section, field, kedge::within(10s));
        return answer ? *answer : answer.error().message;
    }
    static bool await(const std::string& what, const std::function<bool()>& holds) {
        return wait_for(what, kedge::within(60s), [&]() -> Result<bool> { return holds(); }).has_value();
    }
    std::string take() const {
        // Its name has the second in it: one second has one snapshot.
        RunOutput made;
        EXPECT_TRUE(await("a snapshot",
                          [&] {
                              made = world_.kedge({"backup", "create", "redis-snapshots", "--json"}, 60s);
                              return made.exit.ok();
                          }))
            << made.out << made.err;
        if (!made.exit.ok()) return "no path";
        return get_string(parse_json(made.out).value()["items"][0], "path").value_or("no path");
    }
    Arguments plan() const {
        return {"run",     "start",     "redis-recovery", "--input", "region=us-east-1", "--input", "replica=us-west-2",
                "--input", "name=lost", "--play-people"};
    }
    RunOutput recover() const { return world_.kedge(plan(), 300s); }
    Json shown() const {
        return get(parse_json(world_.kedge({"recover", "show", "lost", "--json"}).out).value(), "item");
    }

    void expect_recovered() const {
        for (const char* node : {east, west}) {
            EXPECT_EQ(ask(node, {"EVAL", "return #redis.call('KEYS', 'data:*')", "0"}), std::to_string(rows)) << node;
            EXPECT_EQ(ask(node, {"EXISTS", "session:other"}), "1") << node;
            EXPECT_EQ(ask(node, {"EXISTS", "session:erased"}), "0") << node << ": erased people stay erased";
            EXPECT_EQ(ask(node, {"EXISTS", "brief"}), "0") << node;
        }
        EXPECT_EQ(info(east, "replication", "role"), "master");
        EXPECT_EQ(info(west, "replication", "master_link_status"), "up");
        EXPECT_EQ(get_string(get(shown(), "proof"), "proved"), "yes");
    }
    static std::string down_after(const std::string& sentinel) {
        const Place& place = *find_place(sentinel);
        const auto output = run({"redis-cli", "-h", std::string(place.host), "-p", std::to_string(place.port),
                                 "SENTINEL", "MASTER", "aragora-master"},
                                kedge::within(10s));
        if (!output) return output.error().message;
        const std::string field = "down-after-milliseconds\n";
        const std::size_t at = output->out.find(field);
        if (at == std::string::npos) return "not told";
        return output->out.substr(at + field.size(), output->out.find('\n', at + field.size()) - at - field.size());
    }
    void expect_watched() const {
        for (const char* sentinel : {"sentinel-us-east-1", "sentinel-us-west-2", "sentinel-outside"})
            EXPECT_EQ(down_after(sentinel), "4000") << sentinel;
    }
    std::size_t entries(const RunId& id) const {
        const auto journal = SqliteJournal::open(world_.state_directory(), Access::read);
        const auto entries = journal ? (*journal)->read(id, 0, SIZE_MAX) : Result<std::vector<Entry>>(journal.error());
        return entries ? entries->size() : 0;
    }
    SupervisorClient supervisor() const { return SupervisorClient(world_.lab().layout().root); }

    const LabWorld world_;
    std::string person_, snapshot_;
};

TEST_F(RedisRecovery, BringsBackWhatWasFlushedAndKeepsWhatWasThere) {
    ask(east, {"FLUSHALL"});
    ask(east, {"SET", "since", "the accident"});
    const RunOutput done = recover();
    EXPECT_TRUE(done.exit.ok()) << done.out << done.err;
    expect_recovered();
    expect_watched();
    EXPECT_EQ(ask(east, {"EXISTS", "since"}), "0");
    const Json kept = get(get(shown(), "proof"), "kept");
    EXPECT_THAT(world_.kedge({"verify", get_string(kept, "path").value_or("no path")}).out, HasSubstr("key"));
    EXPECT_GE(get_integer(kept, "keys").value_or(0), 1);

    // All of it is in the append-only file: the master comes back with it from a kill.
    ASSERT_EQ(info(east, "persistence", "aof_enabled"), "1");
    ASSERT_TRUE(supervisor().kill({east}, kedge::within(30s)));
    ASSERT_TRUE(supervisor().start(east, kedge::within(30s)));
    ASSERT_TRUE(await("Redis to answer", [] { return ask(east, {"PING"}) == "PONG"; }));
    EXPECT_EQ(ask(east, {"EVAL", "return #redis.call('KEYS', 'data:*')", "0"}), std::to_string(rows));

    const LoadedRun run = world_.load(world_.runs().back()).value();
    ASSERT_EQ(run.state.obligations().size(), 1U) << "the copy is owed until somebody discards it";
    EXPECT_THAT(run.state.obligations().front().name, HasSubstr("recovered copy"));
}

TEST_F(RedisRecovery, BringsBackWhatLostItsFilesFromTheNewestSoundSnapshotWithoutAnAppendOnlyFile) {
    for (const char* node : {east, west}) ask(node, {"CONFIG", "SET", "appendonly", "no"});
    // A snapshot dates itself by the second: the damaged one has to be newer.
    const Moment sound_at = SystemClock{}.now();
    ASSERT_TRUE(await("another second", [&] { return SystemClock{}.now() > sound_at + 2s; }));
    const std::string damaged = take();
    fs::resize_file(damaged, fs::file_size(damaged) / 2);
    ASSERT_TRUE(supervisor().kill({east, west}, kedge::within(30s)));
    for (const char* node : {east, west}) {
        const std::string directory = world_.lab().layout().of(*find_place(node));
        fs::remove_all(directory + "/appendonlydir");
        fs::remove(directory + "/dump.rdb");
        ASSERT_TRUE(supervisor().start(node, kedge::within(30s)));
    }
    ASSERT_TRUE(await("the empty master and its replica", [] {
        return info(west, "replication", "master_link_status") == "up" && ask(east, {"EXISTS", "data:1"}) == "0";
    }));
    for (const char* node : {east, west}) ask(node, {"CONFIG", "SET", "appendonly", "no"});
    take();  // empty: newer than any other, and sound
    const RunOutput done = recover();
    EXPECT_TRUE(done.exit.ok()) << done.out << done.err;
    expect_recovered();
    expect_watched();
    const std::string choice = dump(get(shown(), "choice"));
    EXPECT_THAT(choice, HasSubstr(damaged)) << "which one was passed over is said";
    EXPECT_THAT(choice, HasSubstr(snapshot_));
    EXPECT_EQ(info(east, "persistence", "aof_enabled"), "0");
    EXPECT_EQ(info(east, "persistence", "rdb_last_bgsave_status"), "ok");
}

TEST_F(RedisRecovery, GoesOnAfterItsControllerWasKilledAtEveryThirdEntry) {
    ask(east, {"FLUSHALL"});
    Arguments words = plan();
    const std::size_t before = world_.runs().size();
    std::size_t kills = 0, seen = 0;
    const Moment deadline = SystemClock{}.now() + 280s;
    for (bool ended = false; !ended;) {
        Child controller = world_.start_kedge(words).value();
        while (!(ended = controller.wait(kedge::within(2ms)).has_value())) {
            ASSERT_LT(SystemClock{}.now(), deadline);
            if (world_.runs().size() == before) continue;
            if (entries(world_.runs().back()) < seen + 3 + kills % 4) continue;
            if (kills < 20) break;
        }
        controller.kill_and_reap();
        ASSERT_GT(world_.runs().size(), before);
        const RunId id = world_.runs().back();
        ended = world_.load(id).value().state.result().has_value();
        if (ended) break;
        ++kills;
        seen = entries(id);
        words = {"run", "resume", id, "--play-people"};
    }
    EXPECT_GE(kills, 8U);
    const LoadedRun run = world_.load(world_.runs().back()).value();
    EXPECT_EQ(run.state.result(), RunResult::succeeded)
        << world_.kedge({"run", "show", world_.runs().back(), "--evidence"}).out;
    expect_recovered();
    expect_watched();
}

TEST_F(RedisRecovery, TakesBackWhatItDidWhenNoSnapshotServes) {
    const fs::path directory = fs::path(snapshot_).parent_path();
    for (const auto& entry : fs::directory_iterator(directory)) fs::remove_all(entry.path());
    const RunOutput done = recover();
    EXPECT_FALSE(done.exit.ok());
    EXPECT_THAT(done.out + done.err, HasSubstr("there is no snapshot"));
    expect_watched();
    EXPECT_EQ(ask(east, {"EXISTS", "data:1"}), "1") << "nothing was touched";
}

}  // namespace
}  // namespace kedge::lab
