// Real servers: the copy of a dump is loaded into the server that it was dumped from, and changes names with a
// database.
#include "recover/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "backup/scratch_estate.h"
#include "recover/erased_for_tests.h"
#include "recover/from_dump.h"
#include "recover/sql_session.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// One server and one copy of a dump of it for all; each test has a database of its own to exchange.
class Exchanging : public testing::Test {
protected:
    static void SetUpTestSuite() {
        world = std::make_unique<backup::World>();
        place = world->directory.path() + "-restored";
        // Every server has one; those of tests are made without.
        world->server->sql("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false");
        world->server->sql("CREATE ROLE keeper LOGIN");
        world->server->sql("CREATE ROLE reader LOGIN");
        world->server->sql("ALTER TABLE orders OWNER TO keeper");
        world->server->sql("CREATE TABLE people (id text PRIMARY KEY)");
        world->server->sql("INSERT INTO people VALUES ('u1'), ('u2')");
        world->server->sql("CREATE TABLE texts (body text)");
        world->server->sql("INSERT INTO texts SELECT repeat('word ', 2000)");
        world->server->sql("CREATE SEQUENCE numbers");
        world->server->sql("SELECT nextval('numbers')");
        world->create("nightly");
        auto choice =
            choose_dump(world->estate, world->policy("nightly"), {}, {.now = SystemClock{}.now(), .threads = 2});
        ASSERT_TRUE(choice) << choice.error().message;
        copy = {.name = "copy",
                .target = "db",
                .policy = "nightly",
                .asked = "the newest dump",
                .database = "postgres",
                .directory = place + "/copy",
                .begun = SystemClock{}.now(),
                .choice = as_json(*choice)};
        const auto made =
            restore_beside(world->directory.path() + "/made", copy, *choice, world->estate, {.threads = 2});
        ASSERT_TRUE(made) << made.error().message;
    }
    static void TearDownTestSuite() {
        EXPECT_TRUE(discard(world->directory.path() + "/made", copy, {}));
        fs::remove_all(place);
        world.reset();
    }

    void SetUp() override {
        static int tests = 0;
        live = fmt::format("shop_{}", ++tests);
        run("postgres", "CREATE DATABASE " + live);
        run(live, "CREATE TABLE orders (id int); CREATE SEQUENCE numbers; SELECT setval('numbers', 500)");
        text = world->text;
        text.replace(text.find("database: postgres"), std::string("database: postgres").size(), "database: " + live);
        set_estate();
        state = fmt::format("{}/state-{}", world->directory.path(), live);
        recovery = copy;
        recovery.name = "monday";
        from = live + "_from_monday";
        before = live + "_before_monday";
        ASSERT_TRUE(write_recovery(state, recovery));
    }
    void set_estate() {
        auto parsed = parse_estate("estate.yaml", text);
        ASSERT_TRUE(parsed) << parsed.mistakes().lines().front();
        estate = std::move(*parsed);
    }
    void TearDown() override {
        for (const std::string& name : databases()) run("postgres", fmt::format("DROP DATABASE {} WITH (FORCE)", name));
    }

    static backup::PostgresServer reached(const std::string& database) {
        return {.region = "east",
                .connection = fmt::format("{} dbname={}", world->server->conninfo(), database),
                .environment = {},
                .programs = scratch_bin_directory};
    }
    // What psql prints; its words if it is refused.
    static std::string ask(const std::string& database, const std::string& sql) {
        const auto answer = backup::ask_postgres(reached(database), sql, std::chrono::seconds(30), {});
        return answer ? *answer : answer.error().message;
    }
    static void run(const std::string& database, const std::string& sql) {
        const auto done = kedge::run_or_fail({reached(database).program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                                              "-d", reached(database).connection},
                                             within(std::chrono::seconds(60)), {.input = sql + ";\n"});
        ASSERT_TRUE(done) << done.error().message;
    }
    // As one that was killed between closing it and changing names leaves it.
    void close_live() {
        ASSERT_TRUE(Databases(reached(live), live, {}).close(live));
        recovery.proof["promotion"]["closed"] = true;
    }
    // Those of this test.
    std::set<std::string> databases() const {
        std::set<std::string> names = Databases(reached("postgres"), live, {}).names().value();
        std::erase_if(names, [&](const std::string& name) { return name != live && !name.starts_with(live + "_"); });
        return names;
    }
    Exchange exchange(ExchangeOptions options = {}) {
        options.threads = 2;
        return {state, estate, recovery, *estate.target("db"), options};
    }
    void load() {
        const auto loaded = exchange().load();
        ASSERT_TRUE(loaded) << loaded.error().message;
        ASSERT_EQ(recovery.stage, Stage::prepared);
        ASSERT_EQ(databases(), (std::set{live, from}));
    }
    void swap() {
        const auto swapped = exchange().swap();
        ASSERT_TRUE(swapped) << swapped.error().message;
        ASSERT_EQ(find_recovery(state, "monday").value().stage, Stage::promoted);
        ASSERT_EQ(databases(), (std::set{live, before}));
    }
    static void expect_refused(const Result<void>& result, const std::string& says) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, Fault::refused) << result.error().message;
        EXPECT_THAT(result.error().message, HasSubstr(says));
    }

    static std::unique_ptr<backup::World> world;
    static std::string place;
    static Recovery copy;
    Estate estate;
    Recovery recovery;
    std::string text, live, from, before, state;
};

std::unique_ptr<backup::World> Exchanging::world;
std::string Exchanging::place;
Recovery Exchanging::copy;

TEST_F(Exchanging, TheCopyHasTheNameAndWhatBelongedToIt) {
    run("postgres", fmt::format("ALTER DATABASE {0} OWNER TO keeper; ALTER DATABASE {0} CONNECTION LIMIT 40; "
                                "ALTER DATABASE {0} SET work_mem TO '5MB'; "
                                "ALTER DATABASE {0} SET search_path TO public, \"Odd, name\"; "
                                "ALTER ROLE reader IN DATABASE {0} SET application_name TO 'it''s'; "
                                "REVOKE ALL ON DATABASE {0} FROM PUBLIC; "
                                "GRANT CONNECT ON DATABASE {0} TO reader WITH GRANT OPTION; "
                                "COMMENT ON DATABASE {0} IS 'the shop''s'",
                                live));
    const auto attributes = [&] {
        return ask("postgres", fmt::format("SELECT pg_get_userbyid(datdba), datconnlimit, datacl, "
                                           "shobj_description(d.oid, 'pg_database'), (SELECT array_agg((setrole, "
                                           "setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = "
                                           "d.oid) FROM pg_database d WHERE datname = '{}'",
                                           live));
    };
    const std::string as_it_was = attributes();
    load();
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "0") << "it serves meanwhile";
    auto visitor = SqlSession::open(reached(live), "visitor", within(std::chrono::seconds(60)));
    ASSERT_TRUE(visitor && visitor->ask("SELECT 1"));
    auto curious = SqlSession::open(reached(from), "curious", within(std::chrono::seconds(60)));
    ASSERT_TRUE(curious && curious->ask("SELECT 1"));
    swap();
    EXPECT_FALSE(visitor->ask("SELECT 1")) << "who was in it is put out";
    EXPECT_FALSE(curious->ask("SELECT 1")) << "and who looked into what was loaded";
    EXPECT_EQ(ask(live, "SELECT count(*) FROM public.orders"), "1000");
    EXPECT_EQ(ask(live, "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"), "keeper");
    EXPECT_EQ(ask(live, "SELECT pg_column_compression(body), body = repeat('word ', 2000) FROM public.texts"),
              "lz4\tt");
    EXPECT_EQ(ask(live, "SELECT last_value FROM public.numbers"), "1500") << "no number is given out twice";
    EXPECT_EQ(ask(live, "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'"), "t");
    EXPECT_EQ(attributes(), as_it_was);
    EXPECT_THAT(ask(before, "SELECT 1"), HasSubstr("not currently accepting connections"));

    EXPECT_FALSE(discard(state, recovery, {})) << "its databases have to go first";
    ASSERT_TRUE(exchange().remove_databases());
    EXPECT_EQ(databases(), std::set{live});
    EXPECT_EQ(ask(live, "SELECT count(*) FROM public.orders"), "1000");
}

TEST_F(Exchanging, GoesOnFromWhereAKilledOneStopped) {
    // While it was loaded.
    run("postgres", fmt::format("CREATE DATABASE {}_loading_monday", live));
    load();
    const Recovery loaded = recovery;
    // After its name said that it is, and before that was written down.
    recovery.stage = Stage::recovered;
    load();
    // Before its name said so.
    recovery = loaded;
    recovery.stage = Stage::recovered;
    run("postgres", "DROP DATABASE " + from);
    load();
    // When nobody got into the other one any more.
    const Recovery prepared = recovery;
    ASSERT_NO_FATAL_FAILURE(close_live());
    swap();
    // After the names had changed.
    recovery = prepared;
    swap();
    swap();
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "1000");
}

TEST_F(Exchanging, IsTakenBackWithWhatWasWrittenMeanwhile) {
    load();
    ASSERT_TRUE(exchange().put_back());
    EXPECT_EQ(recovery.stage, Stage::recovered);
    EXPECT_EQ(databases(), std::set{live}) << "nobody had written to it";
    load();
    swap();
    run(live, "INSERT INTO orders VALUES (5000)");
    const auto back = exchange().put_back();
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(recovery.stage, Stage::prepared);
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "0");
    expect_refused(exchange().put_back(), "has what was written meanwhile");
    swap();
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "1001");
}

TEST_F(Exchanging, NamesThatCannotChangeLeaveProductionOpen) {
    load();
    // The server takes it for a database, and not in a conversation.
    run("postgres", fmt::format("ALTER DATABASE {} SET temp_tablespaces TO 'nowhere'", live));
    const auto swapped = exchange().swap();
    ASSERT_FALSE(swapped);
    EXPECT_THAT(swapped.error().message, HasSubstr("nowhere"));
    EXPECT_EQ(databases(), (std::set{live, from}));
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "0");
    run("postgres", fmt::format("ALTER DATABASE {} RESET temp_tablespaces", live));
    swap();
}

TEST_F(Exchanging, WhatHasServedIsNotDroppedByASecondPutBack) {
    load();
    const Recovery loaded = recovery;
    swap();
    run(live, "INSERT INTO orders VALUES (5000)");
    // Killed before it was written down that the names had changed.
    recovery = loaded;
    ASSERT_TRUE(exchange().put_back());
    expect_refused(exchange().put_back(), "has what was written meanwhile");
    EXPECT_EQ(ask(from, "SELECT count(*) FROM orders"), "1001");
}

TEST_F(Exchanging, WhoWasErasedSinceItWasLoadedIsNotInIt) {
    text +=
        fmt::format("erasure:\n  ledger: {}/ledger.jsonl\n  of: db\n  tables: {{public.people: {{key: id}}}}\n", state);
    ASSERT_NO_FATAL_FAILURE(set_estate());
    enter_erasure(estate.erasure.ledger, "u7");
    load();
    EXPECT_EQ(ask(from, "SELECT count(*) FROM people"), "2");
    enter_erasure(estate.erasure.ledger, "u1");
    swap();
    EXPECT_EQ(ask(live, "SELECT string_agg(id, ' ') FROM people"), "u2");
    EXPECT_EQ(get_integer(get(get(recovery.proof, "erasure"), "rows"), "public.people"), 1);
}

// What was production stood still while the other one served.
TEST_F(Exchanging, WhatIsPutBackHoldsNobodyErasedAndGivesOutNoNumberTwice) {
    text +=
        fmt::format("erasure:\n  ledger: {}/ledger.jsonl\n  of: db\n  tables: {{public.people: {{key: id}}}}\n", state);
    ASSERT_NO_FATAL_FAILURE(set_estate());
    enter_erasure(estate.erasure.ledger, "u7");
    run(live, "CREATE TABLE people (id text PRIMARY KEY); INSERT INTO people VALUES ('u1'), ('u2')");
    load();
    swap();
    enter_erasure(estate.erasure.ledger, "u1");
    run(live, "SELECT setval('public.numbers', 7000)");
    fs::rename(estate.erasure.ledger, estate.erasure.ledger + ".gone");
    EXPECT_FALSE(exchange().put_back()) << "who is erased is not known";
    EXPECT_EQ(databases(), (std::set{live, before}));
    EXPECT_THAT(ask(before, "SELECT 1"), HasSubstr("not currently accepting connections"));
    fs::rename(estate.erasure.ledger + ".gone", estate.erasure.ledger);
    const auto back = exchange().put_back();
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(ask(live, "SELECT string_agg(id, ' ') FROM people"), "u2");
    EXPECT_EQ(ask(live, "SELECT last_value FROM numbers"), "8000");
}

// An exchange that came about and was not written down.
TEST_F(Exchanging, WhatProductionWasIsNotDroppedUnlessItIsWrittenDownThatItIsThat) {
    load();
    const Recovery loaded = recovery;
    swap();
    recovery = loaded;
    const auto removed = exchange().remove_databases();
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().fault, Fault::conflict);
    EXPECT_EQ(databases(), (std::set{live, before}));
    swap();
    EXPECT_TRUE(exchange().remove_databases());
    EXPECT_EQ(databases(), std::set{live});
}

TEST_F(Exchanging, WhoeverGivesItUpOpensWhatAKilledOneHadClosed) {
    load();
    ASSERT_NO_FATAL_FAILURE(close_live());
    ASSERT_TRUE(exchange().put_back());
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "0");
    load();
    ASSERT_NO_FATAL_FAILURE(close_live());
    ASSERT_TRUE(exchange().remove_databases());
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "0");
    EXPECT_EQ(databases(), std::set{live});
    load();
    swap();
    ASSERT_NO_FATAL_FAILURE(close_live());
    swap();
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "1000");
}

// A person may have closed it. Nobody could ask it for its sequences.
TEST_F(Exchanging, ADatabaseThatOthersClosedIsRefusedBeforeItIsLoaded) {
    ASSERT_TRUE(Databases(reached(live), live, {}).close(live));
    expect_refused(exchange().load(), "lets nobody in");
    EXPECT_EQ(databases(), std::set{live});
}

// The connection is lost while the server waits to answer that the names have changed.
TEST_F(Exchanging, AnAnswerThatIsLostIsAskedForOnceMore) {
    load();
    world->server->sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    world->server->sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(world->server->await("SHOW synchronous_standby_names", "nobody"));
    std::jthread ender([&] {
        // Closing LIVE waits for a standby too, as does what follows: each is let go but the last.
        const std::string waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%RENAME TO%'";
        const Moment end = SystemClock{}.now() + std::chrono::seconds(60);
        while (SystemClock{}.now() < end && world->server->sql("SELECT count(*) " + waiting) != "1")
            world->server->sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query NOT LIKE "
                "'%RENAME TO%'");
        world->server->sql("SELECT pg_terminate_backend(pid) " + waiting);
    });
    const auto swapped = exchange().swap();
    ender.join();
    world->server->sql("ALTER SYSTEM RESET synchronous_standby_names");
    world->server->sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(world->server->await("SHOW synchronous_standby_names", ""));
    ASSERT_TRUE(swapped) << swapped.error().message;
    EXPECT_EQ(recovery.stage, Stage::promoted);
    EXPECT_EQ(databases(), (std::set{live, before}));
}

TEST_F(Exchanging, WhatIsCalledOffWhileItIsLoadedLeavesNothing) {
    std::stop_source stop;
    ExchangeOptions options{.stop = stop.get_token(), .on_step = [&](const std::string& step) {
                                if (step == "analyzing") stop.request_stop();
                            }};
    ASSERT_FALSE(exchange(options).load());
    EXPECT_EQ(databases(), std::set{live});
    EXPECT_FALSE(is_exchanged(find_recovery(state, "monday").value()));
}

TEST_F(Exchanging, WhatAKilledOneHadBegunToLoadIsRemovedByWhoGivesItUp) {
    const std::string loading = live + "_loading_monday";
    for (const bool discards : {false, true}) {
        ASSERT_EXIT(static_cast<void>(exchange({.on_step =
                                                    [&](const std::string& step) {
                                                        if (step == "analyzing") raise(SIGKILL);
                                                    }})
                                          .load()),
                    testing::KilledBySignal(SIGKILL), "");
        ASSERT_EQ(databases(), (std::set{live, loading}));
        recovery = find_recovery(state, "monday").value();
        ASSERT_TRUE(discards ? exchange().remove_databases() : exchange().put_back());
        EXPECT_EQ(databases(), std::set{live});
        EXPECT_FALSE(is_exchanged(find_recovery(state, "monday").value()));
    }
}

TEST_F(Exchanging, ADatabaseThatWasDroppedIsThereAgain) {
    run("postgres", "DROP DATABASE " + live);
    ASSERT_TRUE(exchange().load());
    ASSERT_EQ(databases(), std::set{from});
    const auto swapped = exchange().swap();
    ASSERT_TRUE(swapped) << swapped.error().message;
    EXPECT_EQ(databases(), std::set{live});
    EXPECT_TRUE(exchange().swap()) << "again changes nothing";
    EXPECT_EQ(ask(live, "SELECT count(*) FROM orders"), "1000");
    ASSERT_TRUE(exchange().remove_databases());
    EXPECT_EQ(databases(), std::set{live});
}

TEST_F(Exchanging, WhatTheServerDoesNotTakeLeavesNothing) {
    run("postgres", "ALTER ROLE keeper RENAME TO nobody_here");
    const auto loaded = exchange().load();
    run("postgres", "ALTER ROLE nobody_here RENAME TO keeper");
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, HasSubstr("keeper"));
    EXPECT_EQ(databases(), std::set{live});
    EXPECT_EQ(find_recovery(state, "monday").value().stage, Stage::recovered);
    EXPECT_FALSE(is_exchanged(find_recovery(state, "monday").value()));
    EXPECT_FALSE(fs::exists(recovery.directory + "/moving"));
}

// Its rows break what it says of them.
TEST_F(Exchanging, ATableThatFailsOnTheWayIsNamedAndLeavesNothing) {
    const auto in_copy = [&](const std::string& sql) {
        return kedge::run_or_fail({recovery.server().program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                                   recovery.server().connection},
                                  within(std::chrono::seconds(60)), {.input = sql + ";\n"});
    };
    ASSERT_TRUE(
        in_copy("CREATE TABLE broken (id int); INSERT INTO broken VALUES (-1); ALTER TABLE broken ADD CHECK (id > 0) "
                "NOT VALID; UPDATE pg_constraint SET convalidated = true WHERE conrelid = 'broken'::regclass"));
    const auto loaded = exchange().load();
    ASSERT_TRUE(in_copy("DROP TABLE broken"));
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, HasSubstr("public.broken"));
    EXPECT_EQ(databases(), std::set{live});
    EXPECT_FALSE(fs::exists(recovery.directory + "/moving"));
}

TEST_F(Exchanging, RefusesWhatCannotChangeNames) {
    EXPECT_TRUE(exchange().check());
    expect_refused(exchange().swap(), "not loaded");
    const Recovery sound = recovery;
    recovery.proof["proved"] = "unknown";
    expect_refused(exchange().check(), "not proved");
    recovery = sound;
    recovery.stage = Stage::gated;
    expect_refused(exchange().check(), "erased");
    recovery = sound;
    recovery.major = 99;
    expect_refused(exchange().check(), "no older version");
    recovery = sound;
    recovery.name = std::string(60, 'x');
    expect_refused(exchange().check(), "at most 63");
    recovery = sound;
    expect_refused(exchange({.region = "west"}).check(), "not in west");
    run("postgres", "CREATE DATABASE " + before);
    expect_refused(exchange().check(), "there is a database");
    run("postgres", "DROP DATABASE " + before);
    run(live, "CREATE SUBSCRIPTION feed CONNECTION '' PUBLICATION feed WITH (connect = false)");
    expect_refused(exchange().check(), "the subscription feed is bound to it");
    run(live, "ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed");
    EXPECT_TRUE(exchange().check());
    EXPECT_EQ(databases(), std::set{live});
}

}  // namespace
}  // namespace kedge::recover
