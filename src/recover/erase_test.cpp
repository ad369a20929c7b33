// Erased people are taken out of a real database, whole or not at all.
#include "recover/erase.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "os/clock.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::recover {
namespace {

using testing::HasSubstr;

class Erasing : public testing::Test {
protected:
    static void SetUpTestSuite() {
        directory = std::make_unique<ScratchDirectory>();
        scratch = ScratchServer::initialize(*directory, "server");
        scratch->start();
    }
    static void TearDownTestSuite() {
        scratch.reset();
        directory.reset();
    }
    void SetUp() override {
        scratch->sql("DROP SCHEMA public CASCADE");
        scratch->sql("CREATE SCHEMA public");
        for (const char* statement :
             {"CREATE TABLE users (id text PRIMARY KEY, email text)",
              "CREATE TABLE debates (id int PRIMARY KEY, creator text REFERENCES users, task text)",
              "CREATE TABLE nodes (id int PRIMARY KEY, debate int REFERENCES debates, content text)",
              "CREATE TABLE plain (id int PRIMARY KEY)",
              "INSERT INTO users VALUES ('u1', 'a@x'), ('u2', 'b@x'), ('it''s\\', 'c@x')",
              R"(INSERT INTO debates SELECT i, CASE i % 3 WHEN 0 THEN 'u1' WHEN 1 THEN 'u2' ELSE 'it''s\' END, 'task'
                 FROM generate_series(1, 30) i)",
              "INSERT INTO nodes SELECT i, i, 'what was said' FROM generate_series(1, 30) i"})
            scratch->sql(statement);
        map = {.ledger = "/nowhere",
               .of = "db",
               .tables = {{.name = "public.users", .key = "id"},
                          {.name = "public.debates",
                           .key = "creator",
                           .is_removed = false,
                           .set = {{"task", std::optional<std::string>("(erased, it's so)")}}},
                          {.name = "public.nodes", .key = "debate", .through = "public.debates"}},
               .personal_columns = {"user_id", "email"}};
        erase("u1");
        erase("it's\\");
        erase("u9");
    }

    void erase(const std::string& subject) {
        ASSERT_TRUE(ledger.add({.at = SystemClock{}.now(),
                                .event = ErasureEvent::erase,
                                .subject = subject,
                                .reason = "asked for it",
                                .who = "tester"}));
    }
    static backup::PostgresServer server() {
        return {.region = "", .connection = scratch->conninfo(), .environment = {}, .programs = scratch_bin_directory};
    }
    Result<Erased> done() const { return erase_people(server(), map, ledger, {}); }
    std::vector<std::string> missed() const {
        std::vector<std::string> names;
        const std::vector<MissedTable> all = missed_tables(server(), map, {}).value();
        for (const MissedTable& table : all) names.push_back(table.name);
        return names;
    }

    static std::unique_ptr<ScratchDirectory> directory;
    static std::unique_ptr<ScratchServer> scratch;
    ErasureMap map;
    ErasureLedger ledger;
};
std::unique_ptr<ScratchDirectory> Erasing::directory;
std::unique_ptr<ScratchServer> Erasing::scratch;

TEST_F(Erasing, TakesThemOutOfEveryTableAndNobodyElse) {
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(erased->subjects, 3U);
    EXPECT_EQ(erased->rows.at("public.users"), 2U);
    EXPECT_EQ(erased->rows.at("public.debates"), 20U);
    EXPECT_EQ(erased->rows.at("public.nodes"), 20U);
    EXPECT_EQ(erased->ledger_head, ledger.head());
    EXPECT_EQ(scratch->sql("SELECT string_agg(id, ',') FROM users"), "u2");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM debates WHERE creator IS NULL AND task = '(erased, it''s so)'"), "20");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM debates WHERE creator = 'u2' AND task = 'task'"), "10");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM nodes"), "10");
    EXPECT_EQ(done()->rows.at("public.users"), 0U) << "again is nothing new";
    EXPECT_EQ(as_json(*erased).dump().find("u1"), std::string::npos) << "the evidence names nobody";
}

// As the server would write them: whatever else an id may look like is somebody else's.
TEST_F(Erasing, IdsAreFoundInColumnsOfEveryKindAsTheyAreWritten) {
    const std::map<std::string, std::vector<std::string>> kept_and_gone = {
        {"bigint", {"9223372036854775807", "-9223372036854775808", "1300000000000000001", "0", "-7", "42"}},
        {"integer", {"2147483647", "0", "-7", "42"}},
        {"smallint", {"32767", "0", "-7", "42"}},
        {"uuid", {"ffffffff-ffff-ffff-ffff-ffffffffffff", "0a1b2c3d-0000-4000-8000-000000000001"}},
        {"numeric", {"1.50", "0", "99999999999999999999", "42"}},
        {"varchar(40)", {"1.50", "007", "+7", "42", "0A1B2C3D-0000-4000-8000-000000000001", " 42"}}};
    for (const char* subject : {"9223372036854775807", "-9223372036854775808", "1300000000000000001", "0", "-7", "007",
                                "+7", " 42", "-0", "9223372036854775808", "99999999999999999999", "2147483647", "32767",
                                "1.50", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0A1B2C3D-0000-4000-8000-000000000001"})
        erase(subject);
    int tables = 0;
    for (const auto& [type, values] : kept_and_gone) {
        const std::string name = fmt::format("kinds_{}", ++tables);
        scratch->sql(fmt::format("CREATE TABLE {} (id {})", name, type));
        for (const std::string& value : values) scratch->sql(fmt::format("INSERT INTO {} VALUES ('{}')", name, value));
        map.tables.push_back({.name = "public." + name, .key = "id"});
    }
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    const auto left = [&](int table) {
        return scratch->sql(fmt::format("SELECT string_agg(id::text, ' ' ORDER BY id::text) FROM kinds_{}", table));
    };
    EXPECT_EQ(left(1), "42") << "bigint";
    EXPECT_EQ(left(2), "42") << "integer";
    EXPECT_EQ(left(3), "42") << "numeric";
    EXPECT_EQ(left(4), "42") << "smallint";
    EXPECT_EQ(left(5), "0a1b2c3d-0000-4000-8000-000000000001") << "uuid: another text";
    EXPECT_EQ(left(6), "42") << "varchar";
}

// Rows move while others go: by a foreign key that is emptied, and by triggers.
TEST_F(Erasing, RowsThatOthersMoveAreTakenOutToo) {
    for (const char* statement :
         {"CREATE TABLE orders (id int PRIMARY KEY, debate int REFERENCES debates, address text, last_payment int)",
          "CREATE TABLE payments (id int PRIMARY KEY, of_order int REFERENCES orders)",
          "ALTER TABLE orders ADD FOREIGN KEY (last_payment) REFERENCES payments ON DELETE SET NULL",
          "INSERT INTO orders SELECT i, i, 'Secret Street', NULL FROM generate_series(1, 30) i",
          "INSERT INTO payments SELECT i, i FROM generate_series(1, 30) i", "UPDATE orders SET last_payment = id",
          "CREATE TABLE items (of_order int REFERENCES orders, what text)",
          "INSERT INTO items SELECT i % 30 + 1, 'thing' FROM generate_series(1, 90) i",
          R"(CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE orders SET address = address || '!' WHERE id = old.of_order; RETURN NULL; END $$)",
          "CREATE TRIGGER follow AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION follow()"})
        scratch->sql(statement);
    map.tables.push_back({.name = "public.orders", .key = "debate", .through = "public.debates"});
    map.tables.push_back({.name = "public.payments", .key = "of_order", .through = "public.orders"});
    map.tables.push_back({.name = "public.items", .key = "of_order", .through = "public.orders"});
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(erased->rows.at("public.orders"), 20U);
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM orders"), "10");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM payments"), "10");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM items"), "30");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM debates WHERE task = '(erased, it''s so)'"), "20");
}

TEST_F(Erasing, ATriggerThatKeepsARowStopsIt) {
    scratch->sql("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    for (const char* table : {"nodes", "debates"}) {
        scratch->sql(
            fmt::format("CREATE TRIGGER keep BEFORE DELETE OR UPDATE ON {} FOR EACH ROW WHEN (old.id = 3) "
                        "EXECUTE FUNCTION keep()",
                        table));
        const auto erased = done();
        ASSERT_FALSE(erased);
        EXPECT_THAT(erased.error().message, HasSubstr(table));
        EXPECT_EQ(scratch->sql("SELECT count(*) FROM nodes"), "30");
        scratch->sql(fmt::format("DROP TRIGGER keep ON {}", table));
    }
}

TEST_F(Erasing, MaterializedViewsAreMadeAnew) {
    for (const char* statement :
         {"CREATE MATERIALIZED VIEW zz AS SELECT email FROM users", "CREATE VIEW between AS SELECT email FROM zz",
          "CREATE MATERIALIZED VIEW aa AS SELECT email FROM between",
          "CREATE MATERIALIZED VIEW never AS SELECT email FROM users WITH NO DATA",
          "CREATE MATERIALIZED VIEW old AS SELECT now() AS at"})
        scratch->sql(statement);
    const std::string made = scratch->sql("SELECT at FROM old");
    map.not_personal = {{"public.old", "a moment"}};
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(scratch->sql("SELECT string_agg(email, ' ') FROM aa"), "b@x");
    EXPECT_EQ(scratch->sql("SELECT string_agg(email, ' ') FROM zz"), "b@x");
    EXPECT_EQ(scratch->sql("SELECT relispopulated FROM pg_class WHERE relname = 'never'"), "f");
    EXPECT_EQ(scratch->sql("SELECT at FROM old"), made) << "the map says that it is not personal";
}

TEST_F(Erasing, IdsAreFoundInADatabaseOfAnotherEncoding) {
    // Every server has one; those of tests are made without.
    scratch->sql("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false");
    scratch->sql("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0");
    backup::PostgresServer latin = server();
    latin.connection = backup::to_database(latin.connection, "latin");
    const auto run = [&](const std::string& sql) {
        return kedge::run_or_fail({latin.program("psql"), "-X", "-q", "-A", "-t", "-d", latin.connection, "-c", sql},
                                  within(std::chrono::seconds(30)), {.environment = {"PGCLIENTENCODING=UTF8"}})
            .value()
            .out;
    };
    run("CREATE TABLE users (id text PRIMARY KEY); INSERT INTO users VALUES ('zo\u00eb'), ('u2')");
    erase("zo\u00eb");
    map.tables = {{.name = "public.users", .key = "id"}};
    const auto erased = erase_people(latin, map, ledger, {});
    EXPECT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(run("SELECT string_agg(id, ' ') FROM users"), "u2\n");
    scratch->sql("DROP DATABASE latin");
}

TEST_F(Erasing, AMapThatChangesIsAnotherOne) {
    const std::string digest = digest_of(map);
    EXPECT_EQ(as_json(*done()).at("map"), digest);
    for (const auto& change :
         std::vector<std::function<void(ErasureMap&)>>{[](ErasureMap& other) { other.tables.pop_back(); },
                                                       [](ErasureMap& other) { other.tables[1].set[0].second.reset(); },
                                                       [](ErasureMap& other) { other.tables[1].is_removed = true; },
                                                       [](ErasureMap& other) {
                                                           other.not_personal.push_back({"public.plain", "numbers"});
                                                       }}) {
        ErasureMap other = map;
        change(other);
        EXPECT_NE(digest_of(other), digest);
    }
}

TEST_F(Erasing, WhoIsHeldIsKept) {
    ASSERT_TRUE(ledger.add({.at = SystemClock{}.now(),
                            .event = ErasureEvent::hold,
                            .subject = "u1",
                            .reason = "a court asked",
                            .who = "tester"}));
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(erased->held, 1U);
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM users WHERE id = 'u1'"), "1");
}

TEST_F(Erasing, ATableThatTheMapMissesStopsItByName) {
    scratch->sql("CREATE TABLE visits (id int, user_id text)");
    scratch->sql("CREATE TABLE likes (id int, debate int REFERENCES debates)");
    EXPECT_THAT(missed(), testing::UnorderedElementsAre("public.visits", "public.likes"));
    const auto refused = done();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, HasSubstr("public."));
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM users"), "3");
    map.not_personal = {{"public.visits", "a counter"}, {"public.likes", "a counter"}};
    EXPECT_TRUE(missed().empty());
}

TEST_F(Erasing, WhatTheMapNamesAndTheDatabaseHasNotStopsIt) {
    map.tables.push_back({.name = "public.absent", .key = "id"});
    map.tables[0].key = "number";
    EXPECT_THAT(missed(), testing::UnorderedElementsAre("public.absent", "public.users"));
}

TEST_F(Erasing, AForeignKeyThatWouldBreakTakesEverythingBack) {
    map.tables[1] = {.name = "public.debates", .key = "creator"};
    scratch->sql("CREATE TABLE votes (debate int REFERENCES debates)");
    scratch->sql("INSERT INTO votes VALUES (3)");
    map.not_personal = {{"public.votes", "numbers"}};
    const auto refused = done();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, HasSubstr("votes"));
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM users"), "3");
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM nodes"), "30");
}

TEST_F(Erasing, WhatIsLeftBySomebodyElsesDoingIsNotProved) {
    scratch->sql("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    scratch->sql("CREATE TRIGGER keep BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION keep()");
    const auto refused = done();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("rows of erased people are left in public.users"));
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM nodes"), "30") << "nothing was changed";
}

TEST_F(Erasing, PartitionsAreReachedThroughTheirParent) {
    scratch->sql("CREATE TABLE visits (id int, user_id text) PARTITION BY RANGE (id)");
    scratch->sql("CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10)");
    scratch->sql("CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (10) TO (20)");
    scratch->sql(
        "INSERT INTO visits SELECT i, CASE WHEN i % 2 = 0 THEN 'u1' ELSE 'u2' END FROM generate_series(0, 19) i");
    map.tables.push_back({.name = "public.visits", .key = "user_id"});
    const auto erased = done();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(erased->rows.at("public.visits"), 10U);
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM visits WHERE user_id = 'u2'"), "10");
}

TEST_F(Erasing, AnOpenFindingKeepsTheGateShut) {
    ASSERT_TRUE(ledger.add({.at = SystemClock{}.now(),
                            .event = ErasureEvent::finding,
                            .reason = "the platform names fewer people than before",
                            .source = "http://platform",
                            .who = "tester",
                            .about = {"u1"}}));
    const auto refused = done();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("fewer people"));
    EXPECT_EQ(scratch->sql("SELECT count(*) FROM users"), "3");
}

}  // namespace
}  // namespace kedge::recover
