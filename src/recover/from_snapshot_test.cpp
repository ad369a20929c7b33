// Snapshots of a real server, brought back beside it by real servers of our own.
#include "recover/from_snapshot.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "erasure/ledger.h"
#include "os/socket.h"
#include "recover/gate.h"
#include "recover/scratch_snapshots.h"
#include "verify/restore/own_redis.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

class RecoveringASnapshot : public testing::Test {
protected:
    RecoveringASnapshot() {
        for (int i = 0; i < 20; ++i) group.ask("east", {"SET", fmt::format("data:{}", i), "x"});
        group.ask("east", {"SET", "rate:login", "3"});
        group.ask("east", {"SET", "session:a", R"({"user_id":"u1"})"});
        group.ask("east", {"SET", "session:b", R"({"user_id":"u2"})"});
        group.ask("east", {"SET", "profile:u1:name", "one"});
        group.ask("east", {"SET", "brief", "x", "PX", "1"});
    }
    void TearDown() override {
        const auto there = find_recovery(state, "copy");
        if (there) {
            EXPECT_TRUE(discard(state, *there, {}));
        }
        EXPECT_FALSE(fs::exists(place) && !fs::is_empty(place)) << "nothing stays behind";
    }
    SnapshotChoice chosen(const SnapshotWanted& wanted = {}) const {
        auto choice = choose_snapshot(estate, *estate.backup("snapshots"), wanted, {.now = SystemClock{}.now()});
        EXPECT_TRUE(choice) << choice.error().message;
        return choice ? *choice : SnapshotChoice{};
    }
    Recovery recovered(const std::vector<std::string>& drop = {}) {
        const SnapshotChoice choice = chosen();
        Recovery recovery{.name = "copy",
                          .target = "sessions",
                          .policy = "snapshots",
                          .asked = "the newest",
                          .database = "",
                          .directory = place + "/copy",
                          .who = "",
                          .begun = SystemClock{}.now(),
                          .says = "",
                          .choice = as_json(choice)};
        const auto made = restore_snapshot_beside(state, recovery, choice, estate, drop, {.now = SystemClock{}.now()});
        EXPECT_TRUE(made) << made.error().message;
        return recovery;
    }
    static std::string ask(const Recovery& recovery, const std::vector<std::string>& command) {
        const auto answer = verify::ask_own_redis(recovery.directory, command, 10s, {});
        return answer ? *answer : answer.error().message;
    }
    void erase(const std::string& person) {
        auto ledger = ErasureFile::open(estate.erasure.ledger, kedge::within(10s)).value();
        ASSERT_TRUE(
            ledger.add({{.event = ErasureEvent::erase, .subject = person, .reason = "asked", .source = "a letter"}}));
    }

    const ScratchSnapshots redis;
    const ScratchRedis& group = redis.group;
    const std::string state = redis.directory.path() + "/state", place = redis.directory.path() + "/place";
    Estate estate = redis.estate;
};

TEST_F(RecoveringASnapshot, BringsBackEveryKeyButThoseThatMustNot) {
    erase("u1");
    redis.take("one.rdb");
    const Recovery recovery = recovered({"data:1?"});
    EXPECT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    EXPECT_EQ(get_string(recovery.proof, "proved"), "yes") << recovery.says;
    EXPECT_EQ(get(recovery.proof, "dropped").dump(), R"({"data:1?":10,"rate:*":1})");
    EXPECT_EQ(get(get(recovery.proof, "erasure"), "rows").dump(), R"({"profile:${person}:*":1,"session:*":1})");
    EXPECT_EQ(ask(recovery, {"DBSIZE"}), "11") << "ten rows and the other's session";
    EXPECT_EQ(ask(recovery, {"EXISTS", "session:a", "profile:u1:name", "rate:login", "brief"}), "0");
    EXPECT_EQ(ask(recovery, {"GET", "session:b"}), R"({"user_id":"u2"})");
    EXPECT_EQ(recovery.address, "127.0.0.1:24990");
    EXPECT_EQ(look_at_server(recovery, {}).answers, Truth::yes);
}

TEST_F(RecoveringASnapshot, IsReachedByNobodyWhileItMayHoldWhoMustStayErased) {
    redis.take("one.rdb");
    Recovery recovery = recovered();
    EXPECT_EQ(recovery.stage, Stage::gated) << "nobody knows who is erased";
    EXPECT_EQ(recovery.address, "");
    EXPECT_FALSE(Stream::connect({"127.0.0.1", 24990}, kedge::within(5s)));
    EXPECT_FALSE(keep_present(recovery, estate, "east", "", {}));

    erase("u1");
    pass_gate(recovery, estate, {});
    ASSERT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    ASSERT_TRUE(publish(recovery, estate, {}));
    EXPECT_EQ(ask(recovery, {"EXISTS", "session:a"}), "0");
}

TEST_F(RecoveringASnapshot, StaysShutIfNobodySaysWhichKeysAreAPersons) {
    erase("u1");
    redis.take("one.rdb");
    const std::size_t at = redis.text.find("    personal-keys"), end = redis.text.find('\n', at);
    estate = ScratchSnapshots::parsed(redis.text.substr(0, at) + redis.text.substr(end + 1));
    const Recovery recovery = recovered();
    EXPECT_EQ(recovery.stage, Stage::gated);
    EXPECT_THAT(recovery.says, HasSubstr("personal-keys"));
}

TEST_F(RecoveringASnapshot, StaysShutIfAKeyDoesNotTellWhoseItIs) {
    erase("u1");
    group.ask("east", {"SET", "session:c", "not what a session holds"});
    redis.take("one.rdb");
    const Recovery recovery = recovered();
    EXPECT_EQ(recovery.stage, Stage::gated);
    EXPECT_THAT(recovery.says, HasSubstr("1 keys of `session:*` hold nothing"));
}

TEST_F(RecoveringASnapshot, PassesADamagedOneOverAndAnEmptyOneToo) {
    const std::string sound = redis.take("one.rdb");
    ScratchSnapshots::await_the_next_second();
    const std::string damaged = redis.take("two.rdb");
    fs::resize_file(damaged, fs::file_size(damaged) / 2);
    group.ask("east", {"FLUSHALL"});
    ScratchSnapshots::await_the_next_second();
    redis.take("three.rdb");
    const SnapshotChoice choice = chosen();
    EXPECT_EQ(choice.path, sound);
    ASSERT_EQ(choice.passed_over.size(), 2U);
    EXPECT_THAT(as_json(choice).dump(), HasSubstr("it holds no key"));
    EXPECT_EQ(chosen({.name = "three.rdb", .before = {}}).keys, 0U) << "unless it is asked for";
    EXPECT_EQ(chosen({.name = "two.rdb", .before = {}}).path, "");
    EXPECT_EQ(chosen({.name = {}, .before = SystemClock{}.now() - 1h}).path, "");
}

TEST_F(RecoveringASnapshot, AsksWhichIsMeantIfTheNewestHoldsMuchLess) {
    const std::string before = redis.take("one.rdb");
    ScratchSnapshots::await_the_next_second();
    group.ask("east", {"DEL", "data:1", "data:2"});
    const std::string usual = redis.take("two.rdb");
    EXPECT_EQ(chosen().path, usual) << "some keys come and go";
    ScratchSnapshots::await_the_next_second();
    group.ask("east", {"FLUSHALL"});
    group.ask("east", {"SET", "since", "x"});
    const std::string after = redis.take("three.rdb");
    const SnapshotChoice choice = chosen();
    EXPECT_EQ(choice.path, "");
    EXPECT_THAT(choice.says, HasSubstr("three.rdb, but it holds 1 keys and the one before it, two.rdb, 2"));
    EXPECT_EQ(chosen({.name = "three.rdb", .before = {}}).path, after);
    EXPECT_EQ(chosen({.name = {}, .before = SystemClock{}.now() + 1h}).path, after);
}

TEST_F(RecoveringASnapshot, KeepsWhatIsThereOnce) {
    erase("nobody");
    redis.take("one.rdb");
    Recovery recovery = recovered();
    group.ask("east", {"FLUSHALL"});
    group.ask("east", {"SET", "since", "x"});
    ASSERT_TRUE(keep_present(recovery, estate, "east", "r-1/keep", {}));
    const Json kept = get(recovery.proof, "kept");
    EXPECT_EQ(get_integer(kept, "keys"), 1);
    EXPECT_TRUE(get_integer(kept, "replication_offset"));
    EXPECT_TRUE(keep_present(recovery, estate, "east", "r-1/keep", {})) << "the same step may do it again";
    EXPECT_EQ(keep_present(recovery, estate, "east", "r-2/keep", {}).error().fault, Fault::conflict);
    EXPECT_TRUE(fs::exists(get_string(kept, "path").value()));
}

}  // namespace
}  // namespace kedge::recover
