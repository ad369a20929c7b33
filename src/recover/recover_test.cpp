// Real servers, with their archives: recovered beside, to every kind of point.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "recover/beside.h"
#include "verify/restore/log_beside.h"
#include "verify/restore/own_postgres.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using verify::RecoveryTarget;

// A server with a base backup, and three transactions behind it that are told apart by what they left.
class Recovering : public testing::Test {
protected:
    void SetUp() override {
        world.create("images");
        world.server->sql("INSERT INTO notes VALUES (1)");
        before = clock_of_server();
        world.server->sql("SELECT pg_create_restore_point('before-the-accident')");
        position = parse_lsn(world.server->sql("SELECT pg_current_wal_insert_lsn()")).value();
        accident = world.server->sql("WITH gone AS (DELETE FROM orders WHERE id > 10) SELECT txid_current()");
        world.server->sql("INSERT INTO notes VALUES (2)");
        world.archive();
    }
    void TearDown() override {
        const std::vector<Recovery> all = recoveries(state).value();
        for (const Recovery& one : all) EXPECT_TRUE(discard(state, one, {}));
        EXPECT_FALSE(fs::exists(place) && !fs::is_empty(place)) << "nothing stays behind";
        fs::remove_all(place);
    }

    Moment clock_of_server() const {
        return parse_moment(world.server->sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                                              "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))
            .value();
    }
    ChooseOptions looking() const { return {.now = SystemClock{}.now(), .threads = 2, .tail = tail}; }
    Choice chosen(const RecoveryTarget& target) {
        material = std::make_unique<backup::Material>();
        auto choice = choose(world.estate, world.policy("images"), target, *material, looking());
        EXPECT_TRUE(choice) << choice.error().message;
        return choice ? *choice : Choice{};
    }
    Recovery recovered(const std::string& name, const RecoveryTarget& target) {
        const Choice choice = chosen(target);
        EXPECT_TRUE(choice.recovery.possible) << choice.recovery.says;
        Recovery recovery{.name = name,
                          .target = "db",
                          .policy = "images",
                          .asked = verify::to_string(target),
                          .database = "postgres",
                          .directory = place + "/" + name,
                          .begun = SystemClock{}.now(),
                          .choice = as_json(choice)};
        if (!choice.recovery.possible) return recovery;
        const auto made = recover_beside(state, recovery, choice, world.estate, {.threads = 2});
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        EXPECT_EQ(get_string(recovery.proof, "proved"), "yes") << recovery.says;
        return recovery;
    }
    // A bit of a page.
    void damage(const std::string& base) const {
        const std::string victim = base + "/" + world.server->sql("SELECT pg_relation_filepath('orders')");
        std::string bytes = read_file(victim).value();
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        ASSERT_TRUE(write_file_atomically(victim, bytes));
    }
    static std::string ask(const Recovery& recovery, const std::string& sql) {
        const auto answer = backup::ask_postgres(recovery.server(), sql, std::chrono::seconds(30), {});
        return answer ? *answer : answer.error().message;
    }
    static std::string held(const Recovery& recovery) {
        return ask(recovery, "SELECT (SELECT count(*) FROM orders), (SELECT array_agg(id ORDER BY id) FROM notes)");
    }

    backup::World world;
    const std::string state = world.directory.path() + "/state", place = world.directory.path() + "-recovered";
    std::unique_ptr<backup::Material> material;
    Moment before;
    Lsn position;
    std::string accident;  // its transaction
    std::string tail;      // where log lies that an old primary alone held
};

TEST_F(Recovering, ToAMomentBeforeTheAccident) {
    const Recovery recovery = recovered("moment", RecoveryTarget::at(before));
    EXPECT_EQ(held(recovery), "1000\t{1}");
    EXPECT_EQ(find_recovery(state, "moment").value().stage, Stage::recovered);
    EXPECT_EQ(ask(recovery, "SELECT setting FROM pg_settings WHERE name = 'archive_command'"), "")
        << "it must not write into production's archive";
    EXPECT_FALSE(fs::exists(world.store + "/wal/00000002.history"));
    EXPECT_EQ(ask(recovery, "SHOW listen_addresses"), "");
    EXPECT_EQ(ask(recovery, "SHOW fsync"), "on") << "it stays, so it has to survive a crash";
    EXPECT_EQ(ask(recovery, "SELECT pg_is_in_recovery()"), "f");
    EXPECT_EQ(world.server->sql("SELECT count(*) FROM orders"), "10") << "production is as it was";
}

TEST_F(Recovering, ALongLogIsReadWhereItLiesAndNothingOfTheCopyLeadsThereAfterwards) {
    for (int i = 0; i < 5; ++i) {
        world.server->sql("INSERT INTO notes VALUES (3)");
        world.server->sql("SELECT pg_switch_wal()");
    }
    world.archive();
    const auto digest = [this] {
        return run_or_fail({"find", world.store + "/wal", "-type", "f", "-printf", "%P %i %s %T@\\n", "-exec",
                            "sha256sum", "{}", "+"},
                           within(std::chrono::seconds(30)))
            .value()
            .out;
    };
    const std::string archived = digest();
    const Choice choice = chosen({});
    EXPECT_GE(verify::LogBeside::of(choice.log, verify::postgres_owner().value(), {}).value().linked().size(), 3u);
    const Recovery recovery = recovered("long", {});
    EXPECT_EQ(held(recovery), "10\t{1,2,3,3,3,3,3}");
    ask(recovery, "INSERT INTO notes SELECT generate_series(1, 100000)");
    ask(recovery, "CHECKPOINT");
    for (const auto& file : fs::directory_iterator(recovery.directory + "/data/pg_wal"))
        EXPECT_FALSE(file.is_symlink()) << file.path();
    EXPECT_EQ(digest(), archived);
}

TEST_F(Recovering, ToATransactionWithItOrWithout) {
    RecoveryTarget target{.kind = RecoveryTarget::Kind::transaction,
                          .transaction = static_cast<std::uint32_t>(std::stoul(accident))};
    EXPECT_EQ(held(recovered("with", target)), "10\t{1}");
    target.inclusive = false;
    EXPECT_EQ(held(recovered("without", target)), "1000\t{1}");
}

TEST_F(Recovering, ToAPositionARestorePointTheBackupAndTheEndOfTheLog) {
    EXPECT_EQ(held(recovered("position", {.kind = RecoveryTarget::Kind::position, .position = position})), "1000\t{1}");
    EXPECT_EQ(held(recovered("point", {.kind = RecoveryTarget::Kind::restore_point, .name = "before-the-accident"})),
              "1000\t{1}");
    EXPECT_EQ(held(recovered("consistent", {.kind = RecoveryTarget::Kind::consistent})), "1000\t");
    EXPECT_EQ(held(recovered("latest", {})), "10\t{1,2}");
}

TEST_F(Recovering, RefusesWhatTheArchiveCannotGive) {
    const Choice late = chosen(RecoveryTarget::at(SystemClock{}.now() + std::chrono::hours(1)));
    EXPECT_FALSE(late.recovery.possible);
    const Choice early = chosen(RecoveryTarget::at(before - std::chrono::hours(1)));
    EXPECT_THAT(early.recovery.says, HasSubstr("before the first base backup"));
    EXPECT_TRUE(early.recovery.after) << "what is nearest is said";
    const Choice unknown = chosen({.kind = RecoveryTarget::Kind::transaction, .transaction = 999'999});
    EXPECT_THAT(unknown.recovery.says, HasSubstr("no such transaction"));
    const Choice far = chosen({.kind = RecoveryTarget::Kind::position, .position = Lsn{~std::uint64_t{0} / 2}});
    EXPECT_FALSE(far.recovery.possible);
    EXPECT_FALSE(chosen({.kind = RecoveryTarget::Kind::restore_point, .name = "nobody"}).recovery.possible);
}

TEST_F(Recovering, ARestorePointThatIsThereTwiceIsAmbiguous) {
    world.server->sql("SELECT pg_create_restore_point('before-the-accident')");
    world.archive();
    backup::Material two;
    const auto choice =
        choose(world.estate, world.policy("images"),
               {.kind = RecoveryTarget::Kind::restore_point, .name = "before-the-accident"}, two, looking());
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().fault, Fault::invalid_input);
}

TEST_F(Recovering, ADamagedBackupIsPassedOverForAnEarlierOne) {
    const std::string newest = world.create("images").path;
    world.server->sql("INSERT INTO notes VALUES (3)");
    world.archive();
    damage(newest);
    const Choice choice = chosen({});
    ASSERT_EQ(choice.passed_over.size(), 1U);
    EXPECT_EQ(choice.passed_over[0].base, newest);
    EXPECT_NE(choice.base, newest);
    EXPECT_EQ(held(recovered("older", {})), "10\t{1,2,3}");
}

TEST_F(Recovering, ACopyServesWhereTheBackupIsDamagedOrAllOfTheStoreIsGone) {
    auto parsed = parse_estate("estate.yaml",
                               world.text +
                                   "  images-far: {kind: copy, of: images, in: vault, below: far/base, max-age: 9d}\n"
                                   "  wal-far: {kind: copy, of: wal, in: vault, below: far/wal, max-age: 1h}\n");
    ASSERT_TRUE(parsed) << parsed.mistakes().lines().front();
    world.estate = std::move(*parsed);
    const std::string copy = world.create("images-far").path;
    fs::copy(world.store + "/wal", world.store + "/far/wal", fs::copy_options::recursive);
    const std::string near = chosen({}).base;
    EXPECT_NE(near, copy) << "as long as it is sound, what is nearer";
    damage(near);
    const Choice passed = chosen({});
    EXPECT_EQ(passed.base, copy);
    ASSERT_EQ(passed.passed_over.size(), 1U);
    EXPECT_EQ(passed.passed_over[0].base, near);
    fs::remove_all(world.store + "/base");
    fs::remove_all(world.store + "/wal");
    EXPECT_EQ(held(recovered("far", {})), "10\t{1,2}");
}

TEST_F(Recovering, LogThatMakesATablespaceIsGivenToNoServerHere) {
    const auto point = RecoveryTarget::at(clock_of_server());
    world.server->sql("INSERT INTO notes VALUES (3)");
    world.server->sql("ALTER SYSTEM SET allow_in_place_tablespaces = on");
    world.server->sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(world.server->await("SHOW allow_in_place_tablespaces", "on"));
    for (int i = 4; i < 8; ++i) {
        world.server->sql(fmt::format("INSERT INTO notes VALUES ({})", i));
        world.archive();
    }
    world.server->sql("CREATE TABLESPACE elsewhere LOCATION ''");
    world.archive();
    const Choice choice = chosen({});
    Recovery recovery{.name = "spaced", .target = "db", .directory = place + "/spaced"};
    const auto refused = recover_beside(state, recovery, choice, world.estate, {.threads = 2});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr("tablespace"));
    EXPECT_FALSE(fs::exists(place + "/spaced/data"));
    EXPECT_EQ(held(recovered("before-it", point)), "10\t{1,2}");
}

TEST_F(Recovering, ABackupInTarsServesAsWell) {
    const auto taken =
        run_or_fail({std::string(scratch_bin_directory) + "/pg_basebackup", "-d", world.server->conninfo(), "-D",
                     world.store + "/base/99991231T000000.000Z", "-Ft", "-z", "-c", "fast"},
                    within(std::chrono::minutes(1)));
    ASSERT_TRUE(taken) << taken.error().message;
    world.server->sql("INSERT INTO notes VALUES (3)");
    world.archive();
    const Choice choice = chosen({});
    EXPECT_THAT(choice.base, HasSubstr("99991231T000000"));
    EXPECT_EQ(held(recovered("tars", {})), "10\t{1,2,3}");
}

TEST_F(Recovering, AGapInTheLogIsNotTakenForItsEnd) {
    world.server->sql("INSERT INTO notes VALUES (3)");
    const std::string lost = world.server->sql("SELECT pg_walfile_name(pg_switch_wal())");
    world.server->sql("INSERT INTO notes VALUES (4)");
    world.archive();
    ASSERT_TRUE(fs::remove(world.store + "/wal/" + lost));
    const Choice latest = chosen({});
    EXPECT_FALSE(latest.recovery.possible) << "what is behind the gap was there, and is lost: a person has to know";
    EXPECT_THAT(latest.recovery.says, HasSubstr("broken"));
    EXPECT_TRUE(chosen(RecoveryTarget::at(before)).recovery.possible);
}

// A standby that lacked the last rows took over and archives; what the old primary alone held was kept.
TEST_F(Recovering, AlongAnOldPrimarysTailWithWhatItAloneHeld) {
    ScratchServer& old = *world.server;
    const auto heir = ScratchServer::standby_of(old, "heir");
    heir->start();
    old.sql("INSERT INTO notes VALUES (3)");
    ASSERT_TRUE(heir->await("SELECT count(*) FROM notes WHERE id = 3", "1"));
    heir->sql("ALTER SYSTEM SET primary_conninfo = ''");
    heir->sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(heir->await("SELECT count(*) FROM pg_stat_wal_receiver", "0"));
    old.sql("INSERT INTO notes VALUES (4)");
    const std::string last = old.sql("SELECT pg_walfile_name(pg_current_wal_lsn())");
    old.kill();
    heir->sql("SELECT pg_promote()");
    heir->sql("INSERT INTO notes VALUES (5)");
    const std::string first = heir->sql("SELECT pg_walfile_name(pg_switch_wal())");
    ASSERT_TRUE(heir->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", first), "t"));
    const std::string kept = world.directory.path() + "/kept";
    fs::create_directories(kept);
    fs::copy(fmt::format("{}/pg_wal/{}", old.data_directory(), last), kept + "/" + last);
    ASSERT_TRUE(write_file_atomically(kept + "/records.txt", "what else lies there is no log"));

    ASSERT_TRUE(fs::exists(world.store + "/wal/" + last + ".partial")) << "as far as the heir got it";
    const RecoveryTarget end_of_the_old{.timeline = 1};
    EXPECT_EQ(held(recovered("without-tail", end_of_the_old)), "10\t{1,2}") << "a server asks for no .partial";
    tail = kept;
    EXPECT_EQ(held(recovered("with-tail", end_of_the_old)), "10\t{1,2,3,4}");
    EXPECT_EQ(held(recovered("newest", {})), "10\t{1,2,3,5}") << "the new timeline is as it was";
}

TEST_F(Recovering, WhatAKilledOneLeftIsMadeAnewOrDiscarded) {
    Recovery left = recovered("left", RecoveryTarget::at(before));
    left.stage = Stage::working;
    ASSERT_TRUE(write_recovery(state, left));
    EXPECT_EQ(held(recovered("left", RecoveryTarget::at(before))), "1000\t{1}");
}

TEST_F(Recovering, WhatLiesWhereItWouldGoIsNotTouched) {
    const std::string somebodys = place + "/theirs/file";
    fs::create_directories(place + "/theirs");
    ASSERT_TRUE(write_file_atomically(somebodys, "precious"));
    const Choice choice = chosen({});
    Recovery recovery{.name = "theirs",
                      .target = "db",
                      .database = "postgres",
                      .directory = place + "/theirs",
                      .begun = SystemClock{}.now()};
    const auto refused = recover_beside(state, recovery, choice, world.estate, {.threads = 2});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_FALSE(discard(state, recovery, {})) << "nor is it discarded";
    recovery.stage = Stage::chosen;
    EXPECT_TRUE(discard(state, recovery, {})) << "of one that was only chosen there is nothing to remove";
    EXPECT_EQ(read_file(somebodys).value(), "precious");
    fs::remove_all(place + "/theirs");
}

TEST(RecoveryPlace, IsAbsolutePlainAndShortEnoughForASocket) {
    EXPECT_TRUE(check_place(usual_place()));
    for (const std::string& no :
         {std::string("relative"), std::string("/a b"), std::string("/a'b"), std::string(), "/" + std::string(60, 'a')})
        EXPECT_FALSE(check_place(no)) << no;
}

TEST(RecoveryName, IsLettersDigitsAndDashes) {
    EXPECT_TRUE(check_recovery_name("before-the-import"));
    for (const char* name : {"", "-a", "../a", "a/b", "a b", "a.b"}) EXPECT_FALSE(check_recovery_name(name)) << name;
    EXPECT_FALSE(check_recovery_name(std::string(41, 'a')));
}

TEST(RecoveryTargetText, IsReadInEveryFormAndRefusedInOthers) {
    for (const char* text :
         {"2026-11-24T03:05:07.000Z", "0/5A10F08", "xid:4711", "name:before", "consistent", "latest"})
        EXPECT_EQ(to_string(verify::parse_recovery_target(text).value()), text);
    EXPECT_EQ(to_string(verify::parse_recovery_target("2026-11-24T05:05:07+02:00").value()),
              "2026-11-24T03:05:07.000Z");
    for (const char* text : {"", "now", "xid:", "xid:2", "xid:-1", "xid:4294967296", "name:", "1/2/3", "G/1"})
        EXPECT_FALSE(verify::parse_recovery_target(text)) << text;
    EXPECT_THAT(verify::parse_recovery_target("2026-11-24T03:05:07").error().message, HasSubstr("zone"));
}

}  // namespace
}  // namespace kedge::recover
