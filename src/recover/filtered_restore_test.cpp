// A dump with people who must stay erased, restored beside production by the whole of it: their rows never come to the
// new server, and the evidence says how many they were.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "backup/scratch_estate.h"
#include "recover/erased_for_tests.h"
#include "recover/from_dump.h"
#include "recover/gate.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

class RestoringFiltered : public testing::Test {
protected:
    void SetUp() override {
        in_source(everybody);
        world.set_estate("");
        world.estate.erasure = map_of_everybody();
        world.estate.erasure.ledger = world.directory.path() + "/outside/ledger.jsonl";
        enter(erased_people(), ErasureEvent::erase);
    }
    void TearDown() override {
        const std::vector<Recovery> all = recoveries(state).value();
        for (const Recovery& one : all) EXPECT_TRUE(discard(state, one, {}));
        fs::remove_all(place);
    }
    void in_source(const std::string& script) const {
        world.directory.run({std::string(scratch_bin_directory) + "/psql", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                             world.server->conninfo()},
                            script);
    }
    void enter(const std::set<std::string>& subjects, ErasureEvent event) const {
        auto ledger = ErasureFile::open(world.estate.erasure.ledger, within(30s)).value();
        for (const std::string& subject : subjects)
            ASSERT_TRUE(ledger.add({{.at = SystemClock{}.now(),
                                     .event = event,
                                     .subject = subject,
                                     .reason = "asked for it",
                                     .who = "tester"}}));
    }
    DumpChoice chosen() const {
        return choose_dump(world.estate, world.policy("nightly"), {}, {.now = SystemClock{}.now(), .threads = 2})
            .value();
    }
    Recovery wanted(const std::string& name, const DumpChoice& choice) const {
        return {.name = name,
                .target = "db",
                .policy = "nightly",
                .asked = "the newest dump",
                .database = "postgres",
                .directory = place + "/" + name,
                .begun = SystemClock{}.now(),
                .choice = as_json(choice)};
    }
    Recovery restored(const std::string& name, DumpChoice choice) const {
        Recovery recovery = wanted(name, choice);
        const auto made = restore_beside(state, recovery, choice, world.estate, {.threads = 2});
        EXPECT_EQ(made.has_value(), recovery.stage != Stage::failed);
        return recovery;
    }
    static std::string ask(const Recovery& recovery, const std::string& sql) {
        const auto answer = backup::ask_postgres(recovery.server(), sql, 30s, {});
        return answer ? *answer : answer.error().message;
    }
    // Whether any file of the server, log and write-ahead log included, holds what only erased people's rows hold.
    static bool holds_canary(const Recovery& recovery) {
        const auto found = run({"grep", "-r", "-q", "-a", canary, recovery.directory}, within(2min)).value();
        EXPECT_LE(found.exit.code, 1);
        return found.exit.code == 0;
    }
    // Every row that the server ever wrote or removed, by its own count.
    static std::string writes(const Recovery& recovery, const std::string& what) {
        return ask(recovery, fmt::format("SELECT sum({}) FROM pg_stat_user_tables WHERE schemaname = 'public'", what));
    }

    backup::World world;
    const std::string state = world.directory.path() + "/state", place = world.directory.path() + "-restored";
};

TEST_F(RestoringFiltered, NotARowOfAnErasedPersonReachesTheNewServer) {
    world.create("nightly");
    const Recovery recovery = restored("copy", chosen());
    ASSERT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    EXPECT_EQ(get_string(recovery.proof, "proved"), "yes") << recovery.says;
    EXPECT_THAT(recovery.says, HasSubstr("without 234 of erased people"));
    for (const auto& [table, rows] : rows_left)
        EXPECT_EQ(ask(recovery, "SELECT count(*) FROM ONLY " + table), rows) << table;
    EXPECT_FALSE(holds_canary(recovery)) << "they left no trace in any file";
    EXPECT_EQ(writes(recovery, "n_tup_ins"), writes(recovery, "n_live_tup")) << "no row came and went";
    EXPECT_EQ(writes(recovery, "n_tup_del"), "0") << "the gate had nothing left to do";
    EXPECT_EQ(writes(recovery, "n_tup_upd"), "0");
    const Json& filtered = get(recovery.proof, "filtered");
    EXPECT_EQ(get_integer(filtered, "subjects"), 5);
    EXPECT_EQ(get_integer(get(filtered, "rows"), "public.nodes"), 100);
    EXPECT_EQ(get_integer(get(filtered, "changed"), "public.debates"), 100);
    EXPECT_EQ(get_integer(get(get(recovery.proof, "erasure"), "rows"), "public.people"), 0);
    for (const std::string& person : {std::string("u1\""), std::string("it's"), std::string("0a1b2c3d")})
        EXPECT_EQ(recovery.proof.dump().find(person), std::string::npos) << "the evidence names nobody";
}

TEST_F(RestoringFiltered, WhoseRowsAHoldKeepsAreRestored) {
    world.create("nightly");
    enter({"u1", "it's\\ a", "0a1b2c3d-0000-4000-8000-000000000001", "7"}, ErasureEvent::hold);
    const Recovery recovery = restored("copy", chosen());
    ASSERT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM people"), "4");
    EXPECT_TRUE(holds_canary(recovery)) << "or the search for it proves nothing";
    EXPECT_EQ(get_integer(get(recovery.proof, "filtered"), "subjects"), 1);
}

TEST_F(RestoringFiltered, WhatTheFilterCannotTellTheGateTakesOut) {
    in_source("ALTER TABLE nodes ADD before int REFERENCES nodes");
    world.create("nightly");
    const Recovery recovery = restored("copy", chosen());
    ASSERT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    EXPECT_THAT(get_string(get(recovery.proof, "filtered"), "says").value_or(""), HasSubstr("refers to itself"));
    EXPECT_EQ(get_integer(get(get(recovery.proof, "erasure"), "rows"), "public.nodes"), 100);
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM nodes"), "200");
}

TEST_F(RestoringFiltered, RowsThatDoNotAddUpAreNoRecovery) {
    world.create("nightly");
    DumpChoice choice = chosen();
    for (verify::Content& content : choice.examination.contents)
        if (content.name == "public.people") content.rows = 5;  // one more than there are
    const Recovery recovery = restored("copy", choice);
    EXPECT_EQ(recovery.stage, Stage::failed);
    EXPECT_THAT(recovery.says, HasSubstr("2 rows after the restore, 2 were left out; 5 were counted in the dump"));
    EXPECT_FALSE(fs::exists(recovery.directory));
}

// A restore that is killed as soon as its server answers `t`; how it ended.
int killed_when(const Recovery& recovery, const std::string& sql, const std::function<void()>& restore) {
    const pid_t child = fork();
    if (child == 0) {
        restore();
        _exit(0);
    }
    const Until until = within(1min);
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0 && SystemClock{}.now() < until.deadline)
        if (backup::ask_postgres(recovery.server(), sql, 5s, {}).value_or("f") == "t") break;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(RestoringFiltered, KilledWhileRowsAreLoadedItIsDoneAgain) {
    // A row takes its time, so that the kill comes between two of them.
    in_source(
        "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(0.05); RETURN true; END';"
        "CREATE TABLE zz (id int); INSERT INTO zz SELECT generate_series(1, 60);"
        "ALTER TABLE zz ADD CHECK (slow(id)) NOT VALID; UPDATE pg_constraint SET convalidated = true");
    world.create("nightly");
    DumpChoice choice = chosen();
    Recovery recovery = wanted("copy", choice);
    recovery.major = choice.major;
    const int signal =
        killed_when(recovery, "SELECT EXISTS (SELECT FROM pg_stat_progress_copy WHERE tuples_processed > 3)", [&] {
            Recovery mine = recovery;
            const auto made = restore_beside(state, mine, choice, world.estate, {.threads = 2});
            _exit(made ? 0 : 1);
        });
    ASSERT_EQ(signal, SIGKILL) << "it was at work";
    EXPECT_EQ(find_recovery(state, "copy").value().stage, Stage::working);
    const Recovery again = restored("copy", choice);
    ASSERT_EQ(again.stage, Stage::recovered) << again.says;
    EXPECT_EQ(get_string(again.proof, "proved"), "yes") << again.says;
    EXPECT_EQ(ask(again, "SELECT count(*) FROM people"), "2");
    EXPECT_EQ(ask(again, "SELECT count(*) FROM zz"), "60");
    EXPECT_FALSE(holds_canary(again));
}

}  // namespace
}  // namespace kedge::recover
