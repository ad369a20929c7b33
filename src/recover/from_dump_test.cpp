// Dumps of a real server, restored beside it.
#include "recover/from_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "erasure/ledger.h"
#include "recover/gate.h"
#include "verify/manifest/block_manifest.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RestoringADump : public testing::Test {
protected:
    void SetUp() override {
        world.server->sql("CREATE ROLE keeper LOGIN");
        world.server->sql("ALTER TABLE orders OWNER TO keeper");
        world.server->sql("CREATE TABLE people (id text PRIMARY KEY, note text)");
        world.server->sql("INSERT INTO people VALUES ('u1', 'one'), ('u2', 'two')");
    }
    void TearDown() override {
        const std::vector<Recovery> all = recoveries(state).value();
        for (const Recovery& one : all) EXPECT_TRUE(discard(state, one, {}));
        EXPECT_FALSE(fs::exists(place) && !fs::is_empty(place)) << "nothing stays behind";
        fs::remove_all(place);
    }
    DumpChoice chosen(const std::optional<std::string>& name = std::nullopt) const {
        auto choice = choose_dump(world.estate, world.policy("nightly"), {.name = name},
                                  {.now = SystemClock{}.now(), .threads = 2});
        EXPECT_TRUE(choice) << choice.error().message;
        return choice ? *choice : DumpChoice{};
    }
    Recovery restored(DumpChoice choice) const {
        Recovery recovery{.name = "copy",
                          .target = "db",
                          .policy = "nightly",
                          .asked = "the newest dump",
                          .database = "postgres",
                          .directory = place + "/copy",
                          .begun = SystemClock{}.now(),
                          .choice = as_json(choice)};
        if (choice.path.empty()) return recovery;
        const auto made = restore_beside(state, recovery, choice, world.estate, {.threads = 2});
        if (!made) recovery.says = made.error().message;
        return recovery;
    }
    static std::string ask(const Recovery& recovery, const std::string& sql) {
        const auto answer = backup::ask_postgres(recovery.server(), sql, std::chrono::seconds(30), {});
        return answer ? *answer : answer.error().message;
    }

    backup::World world;
    const std::string state = world.directory.path() + "/state", place = world.directory.path() + "-restored";
};

TEST_F(RestoringADump, BringsBackEveryRowWithItsOwnerAndStatistics) {
    world.create("nightly");
    world.server->sql("DROP TABLE orders");
    const Recovery recovery = restored(chosen());
    EXPECT_EQ(recovery.stage, Stage::recovered) << recovery.says;
    EXPECT_EQ(get_string(recovery.proof, "proved"), "yes") << recovery.says;
    EXPECT_EQ(get_integer(recovery.proof, "rows"), 1002);
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM orders"), "1000");
    EXPECT_EQ(ask(recovery, "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"), "keeper");
    EXPECT_EQ(ask(recovery, "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'"), "t");
    EXPECT_EQ(ask(recovery, "SHOW fsync"), "on");
    EXPECT_EQ(ask(recovery, "SHOW archive_mode"), "off");
    EXPECT_EQ(world.server->sql("SELECT to_regclass('orders') IS NULL"), "t") << "production is as it was";
}

TEST_F(RestoringADump, ADamagedOneIsPassedOverUnlessItWasAskedForByName) {
    const auto older = world.create("nightly");
    // A dump says to the second when it was taken.
    const std::string next = world.server->sql("SELECT date_trunc('second', clock_timestamp()) + interval '1 second'");
    ASSERT_TRUE(world.server->await(fmt::format("SELECT clock_timestamp() >= '{}'", next), "t"));
    const auto newest = world.create("nightly");
    std::string bytes = read_file(newest.path).value();
    bytes.resize(bytes.size() - 200);
    ASSERT_TRUE(write_file_atomically(newest.path, bytes));
    const DumpChoice choice = chosen();
    EXPECT_EQ(choice.path, older.path);
    ASSERT_EQ(choice.passed_over.size(), 1U);
    EXPECT_EQ(choice.passed_over[0].base, newest.path);
    EXPECT_TRUE(chosen(newest.name).path.empty());
    EXPECT_FALSE(choose_dump(world.estate, world.policy("nightly"), {.name = "nobody"}, {.now = SystemClock{}.now()}));
}

TEST_F(RestoringADump, ACopyServesWhereTheOneThatItWasMadeOfIsDamagedOrGone) {
    const auto made = world.create("nightly");
    ASSERT_EQ(chosen().path, made.path);
    world.create("away");
    const std::string copy = fmt::format("{}/copies/{}", world.store, made.name);
    EXPECT_EQ(chosen().path, made.path) << "the nearer one, while it is sound";
    ASSERT_TRUE(write_file_atomically(made.path, read_file(made.path).value().substr(0, 900)));
    const DumpChoice damaged = chosen();
    EXPECT_EQ(damaged.path, copy);
    EXPECT_EQ(damaged.passed_over.size(), 1U);
    fs::remove_all(world.store + "/dumps");
    const DumpChoice gone = chosen(made.name);
    EXPECT_EQ(gone.path, copy);
    EXPECT_EQ(gone.globals, copy + std::string(verify::globals_suffix)) << "roles come along";
    fs::remove_all(world.store + "/copies");
    EXPECT_FALSE(choose_dump(world.estate, world.policy("nightly"), {}, {.now = SystemClock{}.now()}));
}

TEST_F(RestoringADump, ErasedPeopleAreNotInWhatMayBeUsed) {
    world.create("nightly");
    world.text +=
        fmt::format("erasure:\n  ledger: {}/outside/ledger.jsonl\n  of: db\n  tables: {{public.people: {{key: id}}}}\n",
                    world.directory.path());
    auto estate = parse_estate("estate.yaml", world.text);
    ASSERT_TRUE(estate) << estate.mistakes().lines().front();
    world.estate = std::move(*estate);
    const Recovery shut = restored(chosen());
    EXPECT_EQ(shut.stage, Stage::gated) << "there is no ledger: nobody knows who must stay erased";
    EXPECT_FALSE(check_usable(shut));
    {
        auto ledger = ErasureFile::open(world.estate.erasure.ledger, within(std::chrono::seconds(5))).value();
        ASSERT_TRUE(ledger.add({{.at = SystemClock{}.now(),
                                 .event = ErasureEvent::erase,
                                 .subject = "u1",
                                 .reason = "asked for it",
                                 .who = "tester"}}));
    }
    Recovery opened = shut;
    for (int pass = 0; pass < 2; ++pass) {
        pass_gate(opened, world.estate, {});
        EXPECT_EQ(opened.stage, Stage::recovered) << opened.says;
        EXPECT_EQ(opened.says, get_string(shut.proof, "said_before_gate")) << "where it stands, not why it was shut";
        EXPECT_EQ(get_integer(get(get(opened.proof, "erasure"), "rows"), "public.people"), 1) << "of all passes";
    }
    const Recovery open = restored(chosen());
    EXPECT_EQ(open.stage, Stage::recovered) << open.says;
    EXPECT_EQ(ask(open, "SELECT string_agg(id, ',') FROM people"), "u2");
}

TEST_F(RestoringADump, WhatPgRestoreRefusesLeavesNothing) {
    world.server->sql("CREATE TABLE a (id int)");
    const auto made = world.create("nightly");
    DumpChoice choice = chosen();
    // Roles that nobody makes: the first error stops it.
    ASSERT_TRUE(write_file_atomically(choice.globals, "SELECT 1/0;\n"));
    const Recovery recovery = restored(choice);
    EXPECT_THAT(recovery.says, HasSubstr("division by zero"));
    EXPECT_EQ(find_recovery(state, "copy").value().stage, Stage::failed);
    EXPECT_FALSE(fs::exists(recovery.directory));
}

}  // namespace
}  // namespace kedge::recover
