// Two real databases that were one, and what is found to differ.
#include "recover/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recover/scratch_databases.h"

namespace kedge::recover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* small_shop = R"(
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, total numeric(10, 2), at timestamptz,
                     data jsonb, raw bytea, ratio float8, span interval);
CREATE TABLE visits (page text, seconds int);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) AS n;
INSERT INTO orders (customer, total, at, data, raw, ratio, span)
    SELECT 1 + n % 50, n * 1.5, '2026-01-01 12:00+00'::timestamptz + n * interval '1 hour', jsonb_build_object('n', n),
           decode(lpad(to_hex(n), 8, '0'), 'hex'), n / 7.0, n * interval '1 minute' FROM generate_series(1, 1000) AS n;
INSERT INTO visits SELECT 'page ' || n % 3, n % 5 FROM generate_series(1, 60) AS n)";

Result<Comparison> compare_both(const ScratchDatabases& both, const CompareOptions& options = {}) {
    return compare(both.recovered_server(), both.live_server(), options);
}

const TableComparison& table_of(const Comparison& comparison, const std::string& name) {
    const auto found = std::ranges::find(comparison.tables, name, &TableComparison::name);
    check(found != comparison.tables.end(), "the table was compared");
    return *found;
}

TEST(Compare, WhatIsTheSameIsEqualHoweverEachSideWritesIt) {
    const ScratchDatabases both(small_shop);
    both.live(
        fmt::format("ALTER DATABASE {0} SET timezone = 'Asia/Tokyo';"
                    "ALTER DATABASE {0} SET datestyle = 'German';"
                    "ALTER DATABASE {0} SET intervalstyle = 'iso_8601';"
                    "ALTER DATABASE {0} SET bytea_output = 'escape';"
                    "ALTER DATABASE {0} SET extra_float_digits = 0",
                    both.live_name()));
    // The same rows in another order of another layout.
    both.live("UPDATE orders SET total = total WHERE id % 3 = 0; VACUUM FULL orders");
    const Comparison comparison = compare_both(both).value();
    EXPECT_TRUE(comparison.equal());
    ASSERT_EQ(comparison.tables.size(), 3u);
    EXPECT_EQ(table_of(comparison, "public.orders").same, 1000u);
    EXPECT_THAT(table_of(comparison, "public.orders").key, ElementsAre("id"));
    EXPECT_EQ(table_of(comparison, "public.visits").same, 60u);
    EXPECT_THAT(comparison.sequences, IsEmpty());
}

TEST(Compare, RowsThatWereLostChangedAndAddedAreCountedAndNamed) {
    const ScratchDatabases both(small_shop);
    both.live(
        "DELETE FROM orders WHERE id IN (7, 8, 500);"
        "UPDATE orders SET total = 0 WHERE id BETWEEN 900 AND 909;"
        "INSERT INTO orders (customer, total) VALUES (1, 1)");
    const Comparison comparison = compare_both(both, {.tables = {"orders"}, .keys_max = 2}).value();
    EXPECT_FALSE(comparison.equal());
    ASSERT_EQ(comparison.tables.size(), 1u);
    const TableComparison& orders = comparison.tables.front();
    EXPECT_EQ(orders.only_recovered.rows, 3u);
    EXPECT_THAT(orders.only_recovered.keys, testing::UnorderedElementsAre("500", "7"))
        << "the first by their texts, not all";
    EXPECT_EQ(orders.changed.rows, 10u);
    EXPECT_EQ(orders.only_live.rows, 1u);
    EXPECT_THAT(orders.only_live.keys, ElementsAre("1001"));
    EXPECT_EQ(orders.same, 987u);
}

TEST(Compare, RowsWithoutAKeyAreComparedByHowOftenTheyAreThere) {
    const ScratchDatabases both(small_shop);
    both.live(
        "DELETE FROM visits WHERE ctid IN (SELECT ctid FROM visits WHERE page = 'page 1' LIMIT 2);"
        "INSERT INTO visits VALUES ('page 9', 9)");
    const Comparison comparison = compare_both(both, {.tables = {"public.visits"}}).value();
    const TableComparison& visits = comparison.tables.at(0);
    EXPECT_THAT(visits.key, IsEmpty());
    EXPECT_EQ(visits.only_recovered.rows, 2u);
    EXPECT_EQ(visits.only_live.rows, 1u);
    EXPECT_EQ(visits.changed.rows, 0u);
    EXPECT_EQ(visits.same, 58u);
}

TEST(Compare, TablesAndColumnsThatOneSideLacksAreDifferences) {
    const ScratchDatabases both(small_shop);
    both.live(
        "DROP TABLE orders; CREATE TABLE news (id int); INSERT INTO news VALUES (1), (2);"
        "ALTER TABLE customers DROP COLUMN name; ALTER TABLE customers ADD COLUMN email text;"
        "ALTER TABLE visits ALTER COLUMN seconds TYPE bigint");
    const Comparison comparison = compare_both(both).value();
    EXPECT_FALSE(comparison.equal());
    ASSERT_EQ(comparison.only_recovered.size(), 1u);
    EXPECT_EQ(comparison.only_recovered[0].name, "public.orders");
    EXPECT_EQ(comparison.only_recovered[0].rows, 1000u);
    ASSERT_EQ(comparison.only_live.size(), 1u);
    EXPECT_EQ(comparison.only_live[0].rows, 2u);
    EXPECT_THAT(comparison.sequences_only_recovered, ElementsAre("public.orders_id_seq"));
    const TableComparison& customers = table_of(comparison, "public.customers");
    EXPECT_THAT(customers.columns_only_recovered, ElementsAre("name text"));
    EXPECT_THAT(customers.columns_only_live, ElementsAre("email text"));
    EXPECT_EQ(customers.same, 50u) << "by the columns that both have";
    EXPECT_THAT(table_of(comparison, "public.visits").columns_of_other_type,
                ElementsAre("seconds integer, live: bigint"));
    EXPECT_FALSE(table_of(comparison, "public.visits").equal());
}

TEST(Compare, SequencesAreShownAndDecideNothing) {
    const ScratchDatabases both(small_shop);
    both.live("SELECT nextval('orders_id_seq')");
    const Comparison comparison = compare_both(both).value();
    EXPECT_TRUE(comparison.equal());
    ASSERT_EQ(comparison.sequences.size(), 1u);
    EXPECT_EQ(comparison.sequences[0].recovered, 1000);
    EXPECT_EQ(comparison.sequences[0].live, 1001);
}

TEST(Compare, OddNamesKeysOfSeveralColumnsAndPartitionsAreCompared) {
    const ScratchDatabases both(R"(
CREATE SCHEMA "Odd ""Schema";
CREATE TABLE "Odd ""Schema"."Order Lines" ("Order" text, "the line" int, note text, PRIMARY KEY ("Order", "the line"));
INSERT INTO "Odd ""Schema"."Order Lines" VALUES (E'tab\there', 1, NULL), (E'line\nbreak', 2, ''), ('ü "quoted"', 3, 'x');
CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO events SELECT n, '2026-01-01'::date + n FROM generate_series(0, 50) AS n;
CREATE UNLOGGED TABLE scratch (id int);
CREATE VIEW all_events AS SELECT * FROM events)");
    both.live(R"(DELETE FROM "Odd ""Schema"."Order Lines" WHERE "the line" <> 3;
UPDATE "Odd ""Schema"."Order Lines" SET note = NULL; DELETE FROM events_2 WHERE id = 40)");
    const Comparison comparison = compare_both(both, {.keys_max = 5}).value();
    ASSERT_EQ(comparison.tables.size(), 2u);
    const TableComparison& lines = table_of(comparison, R"("Odd ""Schema"."Order Lines")");
    EXPECT_THAT(lines.only_recovered.keys, testing::UnorderedElementsAre("\"tab\there\",1", "\"line\nbreak\",2"));
    EXPECT_THAT(lines.changed.keys, ElementsAre(R"("ü ""quoted""",3)"));
    const TableComparison& events = table_of(comparison, "public.events");
    EXPECT_THAT(events.only_recovered.keys, ElementsAre("40,2026-02-10"));
    EXPECT_EQ(events.same, 50u);
    EXPECT_THAT(comparison.not_compared, ElementsAre("public.scratch")) << "a recovery empties it";
    EXPECT_EQ(compare_both(both, {.tables = {"Odd \"Schema.Order Lines"}})->tables.size(), 1u);
}

TEST(Compare, ATableIsFoundByWhatPeopleWriteOrNotAtAll) {
    const ScratchDatabases both(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.twice (id int); CREATE TABLE b.twice (id "
        "int); CREATE VIEW seen AS SELECT 1 AS one");
    EXPECT_EQ(compare_both(both, {.tables = {"a.twice", "a.twice"}})->tables.size(), 1u);
    const auto several = compare_both(both, {.tables = {"twice"}});
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().fault, Fault::invalid_input);
    EXPECT_THAT(several.error().hint, HasSubstr("`a.twice`, `b.twice`"));
    EXPECT_EQ(compare_both(both, {.tables = {"seen"}}).error().fault, Fault::not_found);
}

TEST(Compare, AStandbyAnswersForLive) {
    const ScratchDatabases both(small_shop);
    const auto standby = ScratchServer::standby_of(ScratchDatabases::server(), "standby");
    standby->start();
    both.live("DELETE FROM orders WHERE id = 5");
    const std::string wanted = ScratchDatabases::server().sql("SELECT pg_current_wal_lsn()");
    ASSERT_TRUE(standby->await(fmt::format("SELECT pg_last_wal_replay_lsn() >= '{}'", wanted), "t"));
    const auto comparison =
        compare(both.recovered_server(), ScratchDatabases::access(*standby, both.live_name()), {.keys_max = 1});
    ASSERT_TRUE(comparison) << comparison.error().message;
    EXPECT_THAT(table_of(*comparison, "public.orders").only_recovered.keys, ElementsAre("5"));
}

TEST(Compare, ATableThatTakesTooLongIsNoAnswer) {
    const ScratchDatabases both(
        "CREATE TABLE big (id int PRIMARY KEY, t text);"
        "INSERT INTO big SELECT n, repeat('x', 500) FROM generate_series(1, 100000) AS n");
    const auto late = compare_both(both, {.limit = std::chrono::milliseconds(20)});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().fault, Fault::unavailable);
    EXPECT_THAT(late.error().message, HasSubstr("statement timeout"));
}

TEST(Compare, AServerThatIsAwayIsNamed) {
    const ScratchDatabases both(small_shop);
    backup::PostgresServer away = both.live_server();
    away.connection = fmt::format("host=127.0.0.1 port={} user=postgres", scratch_port());
    const auto failed = compare(both.recovered_server(), away, {});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().fault, Fault::unavailable);
    EXPECT_THAT(failed.error().message, testing::AllOf(HasSubstr("live"), HasSubstr("refused")));
}

}  // namespace
}  // namespace kedge::recover
