// Real servers: a recovered copy takes the place of the one that it was recovered from, and leaves it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "recover/beside.h"
#include "recover/erased_for_tests.h"
#include "recover/promote.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using verify::RecoveryTarget;

// A server whose orders a bad statement took, and a copy that was recovered to before it.
class Promoting : public testing::Test {
protected:
    void SetUp() override {
        world.server->sql("CREATE SEQUENCE numbers");
        world.server->sql("CREATE SEQUENCE downwards INCREMENT -1");
        world.server->sql("SELECT nextval('numbers'), nextval('downwards')");
        world.create("images");
        world.server->sql("INSERT INTO notes VALUES (1)");
        const std::string accident =
            world.server->sql("WITH gone AS (DELETE FROM orders WHERE id > 10) SELECT txid_current()");
        world.server->sql("INSERT INTO notes VALUES (2)");
        world.server->sql("SELECT setval('numbers', 500), setval('downwards', -70)");
        world.archive();
        undo.transaction = static_cast<std::uint32_t>(std::stoul(accident));
        undo.inclusive = false;
        production = {.name = "db@east",
                      .region = "east",
                      .site = {.connection = world.server->conninfo(),
                               .password = {},
                               .host = {.data_directory = data},
                               .fence = {{"test", "-e", fence}, {}, {}},
                               .server = {},
                               .replication = {},
                               .rewind_source = {}},
                      .database = "postgres",
                      .probe_schema = "kedge"};
        recovery = recovered("undone", undo);
    }
    void TearDown() override {
        const std::vector<Recovery> all = recoveries(state).value();
        for (const Recovery& one : all) EXPECT_TRUE(discard(state, one, {}));
        fs::remove_all(place);
    }

    Recovery recovered(const std::string& name, const RecoveryTarget& target) const {
        backup::Material material;
        const auto choice =
            choose(world.estate, world.policy("images"), target, material, {.now = SystemClock{}.now(), .threads = 2});
        EXPECT_TRUE(choice && choice->recovery.possible) << (choice ? choice->recovery.says : choice.error().message);
        Recovery made{.name = name,
                      .target = "db",
                      .policy = "images",
                      .asked = verify::to_string(target),
                      .database = "postgres",
                      .directory = place + "/" + name,
                      .begun = SystemClock{}.now()};
        if (!choice || !choice->recovery.possible) return made;
        made.choice = as_json(*choice);
        const auto done = recover_beside(state, made, *choice, world.estate, {.threads = 2});
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        return made;
    }
    Promotion promotion() { return {state, world.estate, recovery, production, {}}; }
    void raise_fence() const { ASSERT_TRUE(write_file_atomically(fence, "")); }
    void lower_fence() const { fs::remove(fence); }
    // As the plan does it, up to the swap.
    void stop_production() {
        const auto ready = promotion().prepare();
        ASSERT_TRUE(ready) << ready.error().message;
        ASSERT_EQ(orders(), "10") << "production runs on";
        world.server->stop();
        raise_fence();
    }
    void swap() {
        const auto done = promotion().swap();
        ASSERT_TRUE(done) << done.error().message;
        ASSERT_EQ(recovery.stage, Stage::promoted);
    }
    void start() const {
        lower_fence();
        world.server->start();
    }
    std::string orders() const { return world.server->sql("SELECT count(*) FROM orders"); }
    std::string timeline() const {
        return world.server->sql("SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int");
    }
    static std::string ask(const Recovery& of, const std::string& sql) {
        const auto answer = backup::ask_postgres(of.server(), sql, std::chrono::seconds(30), {});
        return answer ? *answer : answer.error().message;
    }
    void expect_refused(const Result<void>& result, const std::string& says) const {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, Fault::refused) << result.error().message;
        EXPECT_THAT(result.error().message, HasSubstr(says));
    }

    backup::World world;
    const std::string state = world.directory.path() + "/state", place = world.directory.path() + "-recovered";
    const std::string data = world.server->data_directory(), kept = data + ".kedge-before-undone";
    const std::string fence = world.directory.path() + "/fence";
    RecoveryTarget undo{.kind = RecoveryTarget::Kind::transaction};
    Production production;
    Recovery recovery;
};

TEST_F(Promoting, TheCopyServesAtProductionsAddressWithItsSettingsOnATimelineOfItsOwn) {
    world.server->configure("work_mem = 5MB");
    stop_production();
    swap();
    start();
    EXPECT_EQ(orders(), "1000") << "what the statement took is there";
    EXPECT_EQ(world.server->sql("SELECT array_agg(id) FROM notes"), "{1}");
    EXPECT_EQ(world.server->sql("SHOW work_mem"), "5MB");
    EXPECT_EQ(timeline(), "2");
    EXPECT_EQ(world.server->sql("SELECT nextval('numbers')"), "1000501") << "no number is given out twice";
    EXPECT_EQ(world.server->sql("SELECT nextval('downwards')"), "-1000071");
    EXPECT_FALSE(fs::exists(recovery.directory + "/data"));
    EXPECT_EQ(find_recovery(state, "undone").value().stage, Stage::promoted);
    EXPECT_TRUE(fs::exists(kept + "/PG_VERSION"));
    EXPECT_EQ(kept_directory(recovery), kept);

    ASSERT_TRUE(discard(state, recovery, {}));
    EXPECT_FALSE(fs::exists(kept)) << "nobody wants it any more";
    EXPECT_EQ(orders(), "1000");
}

TEST_F(Promoting, TheArchiveGoesOnWithoutAGapAndAnEarlierBackupLeadsThroughIt) {
    stop_production();
    swap();
    start();
    world.server->sql("INSERT INTO notes VALUES (3)");
    world.archive();
    EXPECT_TRUE(fs::exists(world.store + "/wal/00000002.history"));
    const Recovery latest = recovered("latest", {});
    EXPECT_EQ(get_integer(latest.choice, "timeline"), 2);
    EXPECT_EQ(ask(latest, "SELECT (SELECT count(*) FROM orders), (SELECT array_agg(id ORDER BY id) FROM notes)"),
              "1000\t{1,3}");
    EXPECT_EQ(world.server->sql("SELECT failed_count FROM pg_stat_archiver"), "0")
        << "nothing was offered that the archive has";
}

TEST_F(Promoting, NothingMovesWithoutTheFenceOrBesideARunningServer) {
    expect_refused(promotion().swap(), "not prepared");
    ASSERT_TRUE(promotion().prepare());
    expect_refused(promotion().swap(), "unable to write");
    raise_fence();
    expect_refused(promotion().swap(), "a server runs");
    EXPECT_EQ(orders(), "10");
    EXPECT_EQ(recovery.stage, Stage::prepared);
    ASSERT_TRUE(promotion().put_back());
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM orders"), "1000") << "it stands beside production again";
    EXPECT_EQ(ask(recovery, "SELECT setting FROM pg_settings WHERE name = 'archive_command'"), "")
        << "and nothing goes out of it";
    EXPECT_EQ(recovery.stage, Stage::recovered);
}

TEST_F(Promoting, GoesOnFromWhereAKilledOneStopped) {
    stop_production();
    const Recovery before = recovery;
    // After the first rename: production's directory is away.
    ASSERT_TRUE(rename_into_place(data, kept));
    const auto lost = discard(state, recovery, {});
    ASSERT_FALSE(lost) << "half swapped in, both are needed";
    EXPECT_EQ(lost.error().fault, Fault::conflict);
    EXPECT_TRUE(fs::exists(kept) && fs::exists(recovery.directory + "/data"));
    swap();
    // After the second, before it was written down.
    recovery = before;
    ASSERT_TRUE(write_recovery(state, recovery));
    swap();
    swap();
    start();
    EXPECT_EQ(orders(), "1000");
}

TEST_F(Promoting, GoesOnWithACopyThatWasStoppedAndNotYetPrepared) {
    const Recovery before = recovery;
    ASSERT_TRUE(promotion().prepare());
    recovery = before;
    ASSERT_TRUE(write_recovery(state, recovery));
    stop_production();
    swap();
    start();
    EXPECT_EQ(orders(), "1000");
}

TEST_F(Promoting, IsTakenBackWithAllThatWasThere) {
    stop_production();
    swap();
    start();
    world.server->sql("INSERT INTO notes VALUES (4)");
    expect_refused(promotion().put_back(), "unable to write");
    raise_fence();
    expect_refused(promotion().put_back(), "a server runs");
    world.server->stop();
    const auto back = promotion().put_back();
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_FALSE(fs::exists(kept));
    EXPECT_EQ(ask(recovery, "SELECT array_agg(id ORDER BY id) FROM notes"), "{1,4}") << "what was written stays in it";
    start();
    EXPECT_EQ(orders(), "10");
    EXPECT_EQ(world.server->sql("SELECT array_agg(id ORDER BY id) FROM notes"), "{1,2}");
    EXPECT_EQ(timeline(), "1");
}

TEST_F(Promoting, WhoWasErasedSinceItWasPreparedIsNotInIt) {
    world.estate.erasure = {
        .ledger = state + "/ledger.jsonl", .of = "db", .tables = {{.name = "public.orders", .key = "id"}}};
    enter_erasure(world.estate.erasure.ledger, "7");
    world.server->configure("work_mem = 5MB");
    stop_production();
    enter_erasure(world.estate.erasure.ledger, "8");
    const Recovery before = recovery;
    swap();
    EXPECT_EQ(get_integer(get(get(recovery.proof, "erasure"), "rows"), "public.orders"), 2) << "of both passes";
    // Killed when its server had taken them out and still ran.
    ASSERT_TRUE(promotion().put_back());
    recovery = before;
    ASSERT_TRUE(write_recovery(state, recovery));
    swap();
    start();
    EXPECT_EQ(orders(), "998");
    EXPECT_EQ(world.server->sql("SELECT count(*) FROM orders WHERE id IN (7, 8)"), "0");
    EXPECT_EQ(world.server->sql("SHOW work_mem"), "5MB") << "it has production's files again";
    // What was production stood still while they were erased.
    enter_erasure(world.estate.erasure.ledger, "9");
    raise_fence();
    world.server->stop();
    expect_refused(promotion().put_back(), "erased meanwhile");
    EXPECT_TRUE(fs::exists(kept));
    EXPECT_TRUE(promotion().put_back(true));
    EXPECT_FALSE(fs::exists(kept));
}

TEST_F(Promoting, NothingMovesWhileTheLedgerOfErasedPeopleCannotBeRead) {
    world.estate.erasure = {
        .ledger = state + "/ledger.jsonl", .of = "db", .tables = {{.name = "public.orders", .key = "id"}}};
    enter_erasure(world.estate.erasure.ledger, "7");
    stop_production();
    ASSERT_TRUE(write_file_atomically(world.estate.erasure.ledger, "no ledger"));
    EXPECT_FALSE(promotion().swap());
    EXPECT_EQ(recovery.stage, Stage::prepared);
    EXPECT_FALSE(fs::exists(kept));
}

TEST_F(Promoting, WhatIsNotClearIsLeftAlone) {
    stop_production();
    fs::create_directory(kept);
    const auto unclear = promotion().swap();
    ASSERT_FALSE(unclear);
    EXPECT_EQ(unclear.error().fault, Fault::conflict) << unclear.error().message;
    EXPECT_TRUE(fs::exists(data + "/PG_VERSION") && fs::exists(recovery.directory + "/data"));
    fs::remove(kept);
}

TEST_F(Promoting, RefusesACopyThatAFailoverHasOvertaken) {
    ASSERT_TRUE(write_file_atomically(world.store + "/wal/00000002.history", "1\t0/5000000\tno recovery target\n"));
    expect_refused(promotion().check(), "a failover or another recovery came between");
}

TEST_F(Promoting, RefusesWhatIsNotProvedOrNotOpenOrNotMovable) {
    Recovery sound = recovery;
    recovery.proof["proved"] = "unknown";
    expect_refused(promotion().check(), "not proved");
    recovery = sound;
    recovery.stage = Stage::gated;
    expect_refused(promotion().check(), "erased");
    recovery = sound;
    recovery.stage = Stage::prepared;
    recovery.proof["promotion"] = {{"exchanges", "shop"}};
    for (const auto& refused :
         {promotion().check(), promotion().prepare(), promotion().swap(), promotion().put_back()}) {
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().message, HasSubstr("loaded into the running server"));
    }
    recovery = sound;
    production.site.fence = {};
    expect_refused(promotion().check(), "no fence");
    production.site.fence = {{"test", "-e", fence}, {}, {}};
    production.site.host.ssh = "elsewhere";
    expect_refused(promotion().check(), "another machine");
    production.site.host.ssh = "";
    const std::string space = data + "/pg_tblspc/16999";
    fs::create_directory_symlink("/tmp", space);
    expect_refused(promotion().check(), "tablespaces");
    fs::remove(space);
    EXPECT_TRUE(promotion().check());
}

}  // namespace
}  // namespace kedge::recover
