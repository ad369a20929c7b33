// Real damage to a live database, mended from the recovered one: what comes back, and what is refused.
#include "recover/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recover/compare.h"
#include "recover/scratch_extraction.h"

namespace kedge::recover {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Extract, ATableThatWasDroppedWithCascadeComesBackWhole) {
    const ScratchDatabases both(shop);
    const std::string before = both.live(everything_that_defines);
    const std::string triggers = both.live(trigger_states);
    both.live("DROP TABLE orders CASCADE");
    ASSERT_NE(both.live(everything_that_defines), before);
    const Extraction done = extracted(both, {{"orders"}});
    EXPECT_EQ(done.end, ExtractEnd::committed);
    const ExtractedTable& orders = table_of(done, "public.orders");
    EXPECT_TRUE(orders.made_again);
    EXPECT_EQ(orders.inserted, 100u);
    EXPECT_THAT(done.foreign_keys, ElementsAre("lines_order_fkey of public.lines"));
    EXPECT_THAT(done.notes, ElementsAre("the view public.dear_orders went with the table and is not made again"));
    EXPECT_EQ(both.live(everything_that_defines), before) << "indexes, constraints, privileges, defaults";
    EXPECT_EQ(both.live(trigger_states), triggers);
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "0") << "no trigger fired";
    EXPECT_TRUE(compared(both).equal());
    EXPECT_EQ(both.live("INSERT INTO orders (customer) VALUES (1) RETURNING id"), "101");
}

TEST(Extract, RowsThatAStatementDeletedComeBackWithTheParentsThatAreGoneToo) {
    const ScratchDatabases both(shop);
    both.live(
        "DELETE FROM lines; DELETE FROM orders WHERE customer IN (3, 4); DELETE FROM customers WHERE id IN (3, 4, 11);"
        "DELETE FROM regions WHERE name = 'south'; UPDATE customers SET name = 'renamed since' WHERE id = 1;"
        "DELETE FROM log");
    const Extraction done = extracted(both, {{"lines"}});
    EXPECT_EQ(table_of(done, "public.lines").inserted, 200u);
    EXPECT_EQ(table_of(done, "public.orders").inserted, 20u);
    EXPECT_EQ(table_of(done, "public.orders").same, 80u) << "what live still has is left as it is";
    EXPECT_FALSE(table_of(done, "public.orders").chosen);
    EXPECT_EQ(table_of(done, "public.customers").inserted, 2u) << "customer 11 has no order";
    EXPECT_EQ(table_of(done, "public.regions").inserted, 1u);
    EXPECT_EQ(both.live("SELECT name FROM customers WHERE id = 1"), "renamed since");
    EXPECT_EQ(both.live("SELECT count(*) FROM customers WHERE id = 11"), "0");
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "0");
    EXPECT_EQ(both.live("SELECT count(*) FROM lines"), "200");
}

TEST(Extract, ParentsAreFollowedOnlyWhereLiveLacksTheRowBetween) {
    const ScratchDatabases both(shop);
    // Customer 3 has moved away from the region that is gone: nothing needs the region any more.
    both.live(
        "UPDATE customers SET region = 'north' WHERE region = 'south'; DELETE FROM regions WHERE name = 'south';"
        "DELETE FROM lines WHERE \"order\" IN (SELECT id FROM orders WHERE customer = 3);"
        "DELETE FROM orders WHERE customer = 3");
    const Extraction done = extracted(both, {{"orders", "customer = 3"}});
    EXPECT_EQ(table_of(done, "public.orders").inserted, 10u);
    EXPECT_EQ(table_of(done, "public.customers").same, 1u);
    EXPECT_EQ(both.live("SELECT count(*) FROM regions WHERE name = 'south'"), "0");
}

TEST(Extract, ConflictsStopAreKeptOrReplacedAsAsked) {
    const ScratchDatabases both(shop);
    both.live(
        "UPDATE orders SET total = 0 WHERE id > 90; DELETE FROM lines WHERE \"order\" = 50;"
        "DELETE FROM orders WHERE id = 50; DELETE FROM log");
    const Extraction stopped = extracted(both, {{"orders"}});
    EXPECT_EQ(stopped.end, ExtractEnd::conflicts);
    EXPECT_EQ(table_of(stopped, "public.orders").conflicts, 10u);
    EXPECT_EQ(table_of(stopped, "public.orders").same, 89u);
    EXPECT_THAT(table_of(stopped, "public.orders").conflict_keys, testing::Contains("91"));
    EXPECT_EQ(both.live("SELECT count(*) FROM orders"), "99") << "nothing was brought";

    const Extraction kept = extracted(both, {{"orders"}}, {.on_conflict = OnConflict::keep});
    EXPECT_EQ(kept.end, ExtractEnd::committed);
    EXPECT_EQ(table_of(kept, "public.orders").kept, 10u);
    EXPECT_EQ(table_of(kept, "public.orders").inserted, 1u);
    EXPECT_EQ(both.live("SELECT count(*) FROM orders WHERE total = 0"), "10");

    const Extraction replaced = extracted(both, {{"orders"}}, {.on_conflict = OnConflict::replace});
    EXPECT_EQ(table_of(replaced, "public.orders").replaced, 10u);
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "0") << "no trigger fired for the update either";
    EXPECT_TRUE(compared(both, {"orders"}).equal());
}

TEST(Extract, ADryRunGivesTheNumbersOfTheRealOneAndChangesNothing) {
    const ScratchDatabases both(shop);
    both.live("DROP TABLE lines; DELETE FROM orders WHERE id > 60");
    const std::string before = both.live(everything_that_defines);
    const Extraction preview = extracted(both, {{"orders"}, {"lines", "amount > 1"}}, {.dry_run = true});
    EXPECT_EQ(preview.end, ExtractEnd::rolled_back);
    EXPECT_EQ(both.live(everything_that_defines), before);
    EXPECT_EQ(both.live("SELECT count(*) FROM orders"), "60");
    EXPECT_EQ(both.live("SELECT last_value FROM orders_id_seq"), "100");
    const Extraction done = extracted(both, {{"orders"}, {"lines", "amount > 1"}}, {.expected = preview.tables});
    EXPECT_EQ(done.end, ExtractEnd::committed);
    EXPECT_EQ(done.tables, preview.tables);
    EXPECT_EQ(done.sequences, preview.sequences);
    EXPECT_EQ(table_of(done, "public.orders").inserted, 40u);

    both.live("DELETE FROM lines WHERE \"order\" = 7; DELETE FROM orders WHERE id = 7");
    const auto changed = try_extract(both, {{"orders"}}, {.expected = preview.tables});
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().fault, Fault::conflict);
    EXPECT_EQ(both.live("SELECT count(*) FROM orders"), "99");
}

TEST(Extract, SequencesGoOnFromTheFurthestAndNeverBack) {
    const ScratchDatabases both(
        "CREATE TABLE a (id serial PRIMARY KEY, t text);"
        "CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);"
        "CREATE TABLE c (id bigint GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY);"
        "INSERT INTO a (t) SELECT 'x' FROM generate_series(1, 10);"
        "INSERT INTO b (t) SELECT 'x' FROM generate_series(1, 10);"
        "INSERT INTO c SELECT FROM generate_series(1, 10)");
    both.live("TRUNCATE a, b, c RESTART IDENTITY; SELECT setval('a_id_seq', 500)");
    both.recovered("SELECT setval(pg_get_serial_sequence('b', 'id'), 30)");
    const Extraction done = extracted(both, {{"a"}, {"b"}, {"c"}});
    EXPECT_THAT(done.sequences, testing::UnorderedElementsAre(MovedSequence{"public.b_id_seq", std::nullopt, 30},
                                                              MovedSequence{"public.c_id_seq", std::nullopt, -10}));
    EXPECT_EQ(both.live("INSERT INTO a (t) VALUES ('y') RETURNING id"), "501");
    EXPECT_EQ(both.live("INSERT INTO b (t) VALUES ('y') RETURNING id"), "31");
    EXPECT_EQ(both.live("INSERT INTO c VALUES (DEFAULT) RETURNING id"), "-11");
    EXPECT_EQ(both.live("SELECT count(*), min(id), max(id) FROM b"), "11|1|31") << "ids as they were";
}

TEST(Extract, TriggersAreBackExactlyAsTheyWere) {
    const ScratchDatabases both(std::string(shop) +
                                ";ALTER TABLE orders ENABLE REPLICA TRIGGER on_replicas;"
                                "ALTER TABLE orders ENABLE ALWAYS TRIGGER always_noted;"
                                "ALTER TABLE orders DISABLE TRIGGER is_off");
    const std::string before = both.live(trigger_states);
    both.live("DELETE FROM lines; DELETE FROM orders; DELETE FROM log");
    const Extraction done = extracted(both, {{"orders"}});
    EXPECT_EQ(done.triggers_off, 3u);
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "0");
    EXPECT_EQ(both.live(trigger_states), before);
    both.live("UPDATE orders SET total = 1 WHERE id = 1");
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "2") << "they fire again: noted and always_noted";
}

TEST(Extract, RowsWithoutAKeyComeBackAsOftenAsTheyWereThere) {
    const ScratchDatabases both(
        "CREATE TABLE visits (page text, at timestamptz, data json);"
        "INSERT INTO visits SELECT 'p' || n % 4, '2026-01-01', '{\"a\": 1}' FROM "
        "generate_series(1, 40) AS n");
    both.live(
        "DELETE FROM visits WHERE ctid IN (SELECT ctid FROM visits WHERE page = 'p1' LIMIT 7);"
        "DELETE FROM visits WHERE page = 'p2'; INSERT INTO visits VALUES ('new', now(), NULL)");
    const Extraction done = extracted(both, {{"visits", "page <> 'p2'"}});
    EXPECT_EQ(table_of(done, "public.visits").inserted, 7u);
    EXPECT_EQ(table_of(done, "public.visits").same, 23u);
    EXPECT_EQ(both.live("SELECT page, count(*) FROM visits GROUP BY 1 ORDER BY 1"), "new|1\np0|10\np1|10\np3|10");
}

TEST(Extract, RowsThatReferToEachOtherComeBackTogether) {
    const ScratchDatabases both(
        "CREATE TABLE people (id int PRIMARY KEY, boss int REFERENCES people);"
        "INSERT INTO people SELECT n, NULLIF(n / 2, 0) FROM generate_series(1, 63) AS n;"
        "CREATE TABLE hens (id int PRIMARY KEY, egg int); CREATE TABLE eggs (id int PRIMARY KEY, hen int REFERENCES "
        "hens);"
        "ALTER TABLE hens ADD CONSTRAINT of_egg FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE;"
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO hens SELECT n, n FROM generate_series(1, 5) AS n;"
        "INSERT INTO eggs SELECT n, n % 5 + 1 FROM generate_series(1, 5) AS n; COMMIT");
    both.live("DELETE FROM people; BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM eggs; DELETE FROM hens; COMMIT");
    EXPECT_EQ(table_of(extracted(both, {{"people", "id = 42"}}), "public.people").inserted, 6u)
        << "42 and everybody above: 21, 10, 5, 2, 1";
    EXPECT_EQ(both.live("SELECT string_agg(id::text, ' ' ORDER BY id) FROM people"), "1 2 5 10 21 42");
    const Extraction hens = extracted(both, {{"hens", "id = 1"}});
    EXPECT_EQ(table_of(hens, "public.hens").inserted, 5u) << "the circle has all of them";
    EXPECT_EQ(table_of(hens, "public.eggs").inserted, 5u);

    both.live(
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM eggs; DELETE FROM hens; COMMIT;"
        "ALTER TABLE hens ALTER CONSTRAINT of_egg NOT DEFERRABLE");
    const auto circle = try_extract(both, {{"hens"}});
    ASSERT_FALSE(circle);
    EXPECT_EQ(circle.error().fault, Fault::refused);
    EXPECT_THAT(circle.error().message, HasSubstr("public.eggs, public.hens refer to each other"));
}

TEST(Extract, PartitionsOddNamesAndGeneratedColumnsComeBack) {
    const ScratchDatabases both(R"(
CREATE SCHEMA "Odd ""Schema";
CREATE TYPE "Odd ""Schema".mood AS ENUM ('well', 'unwell');
CREATE TABLE "Odd ""Schema"."Order: 'Lines'" ("Order" int, "the line" int, mood "Odd ""Schema".mood,
    twice int GENERATED ALWAYS AS ("Order" * 2) STORED, note text, PRIMARY KEY ("Order", "the line"));
INSERT INTO "Odd ""Schema"."Order: 'Lines'" ("Order", "the line", mood, note)
    SELECT n, n, 'well'::"Odd ""Schema".mood, E'tab\t back\\slash \\. \r\n end'
    FROM generate_series(1, 20) AS n;
CREATE TABLE log (t text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (TG_NAME); RETURN NEW; END';
CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TRIGGER whole BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER part BEFORE INSERT ON events_2 FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE events DISABLE TRIGGER whole; INSERT INTO events SELECT n, '2026-01-01'::date + n FROM generate_series(0, 50) n;
ALTER TABLE events ENABLE TRIGGER whole; ALTER TABLE events_1 ENABLE ALWAYS TRIGGER whole;
DELETE FROM log)");
    const std::string triggers = both.live(trigger_states);
    const std::string definitions = both.live(everything_that_defines);
    both.live(R"(DELETE FROM "Odd ""Schema"."Order: 'Lines'" WHERE "Order" > 5; DELETE FROM events WHERE id > 20)");
    extracted(both, {{"Order: 'Lines'", "\"the line\" > 0"}, {"events"}});
    EXPECT_TRUE(compared(both).equal());
    EXPECT_EQ(both.live("SELECT count(*) FROM log"), "0") << "neither the trigger of the whole nor of the part";
    EXPECT_EQ(both.live(trigger_states), triggers);

    both.live(R"(DROP TABLE "Odd ""Schema"."Order: 'Lines'"; DROP TABLE events)");
    extracted(both, {{"Order: 'Lines'"}, {"events"}});
    EXPECT_TRUE(compared(both).equal());
    EXPECT_EQ(both.live(everything_that_defines), definitions);
    EXPECT_EQ(both.live(trigger_states), triggers);
}

TEST(Extract, ColumnsThatOneSideLacksAreLeftOutAndNamed) {
    const ScratchDatabases both(shop);
    both.live(
        "DELETE FROM lines; ALTER TABLE lines DROP COLUMN amount; ALTER TABLE lines ADD COLUMN added text DEFAULT 'd'");
    const Extraction done = extracted(both, {{"lines"}});
    EXPECT_THAT(done.notes, ElementsAre("public.lines: live has no column amount: its values are not brought"));
    EXPECT_EQ(both.live("SELECT count(*) FROM lines WHERE added = 'd'"), "200");
}

}  // namespace
}  // namespace kedge::recover
