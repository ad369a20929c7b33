// Databases with all that PostgreSQL has, copied into others: what pg_dump writes of both is the same text.
#include "recover/copy_database.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "backup/servers.h"
#include "os/files.h"
#include "recover/database_snapshot.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::recover {
namespace {

using testing::HasSubstr;
using testing::Not;

// Names that mean something to SQL, to patterns of pg_dump or to regular expressions.
constexpr const char* odd_names = R"SQL(
CREATE SCHEMA "Odd ""one"".*";
CREATE TABLE "Odd ""one"".*"."a.b" (id int PRIMARY KEY);
CREATE TABLE "Odd ""one"".*"."say ""x""" (id int PRIMARY KEY);
CREATE TABLE "Odd ""one"".*"."St*r?" (id int PRIMARY KEY);
CREATE TABLE "Odd ""one"".*"."$1 (a|b)+[c]{2}^\d" (id int PRIMARY KEY, "SELECT" text, "a ""b"".c" text);
CREATE TABLE "table" ("user" text, "order" int);
CREATE TABLE "with	tab and 'quotes'" (id int);
INSERT INTO "Odd ""one"".*"."a.b" SELECT generate_series(1, 10);
INSERT INTO "Odd ""one"".*"."say ""x""" SELECT generate_series(1, 20);
INSERT INTO "Odd ""one"".*"."St*r?" SELECT generate_series(1, 30);
INSERT INTO "Odd ""one"".*"."$1 (a|b)+[c]{2}^\d" SELECT i, E'\\. \\N \t', NULL FROM generate_series(1, 40) i;
INSERT INTO "table" VALUES (E'a\nb', 1), (NULL, 2), ('', 3), (E'\\.', 4);
INSERT INTO "with	tab and 'quotes'" VALUES (7);
)SQL";

constexpr const char* tables_of_all_kinds = R"SQL(
CREATE TYPE mood AS ENUM ('bad', 'fair', 'good');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE alone INCREMENT 5 MINVALUE -100; SELECT setval('alone', 35);
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone text, half numeric,
    twice numeric GENERATED ALWAYS AS (half * 2) STORED, old serial, at timestamptz, span interval, d double precision,
    raw bytea, doc jsonb, many text[], p pair, m mood, x xml, n positive, kind regclass);
INSERT INTO counted (half, at, span, d, raw, doc, many, p, m, x, n, kind)
    SELECT i / 3.0, '2024-02-29 12:00:00.123456+05:30'::timestamptz + i * '1 day'::interval, '-1 mon +2 days -03:04',
        i / 7.0::float8, decode(lpad(to_hex(i), 6, '0'), 'hex'), '{"a": "\\\"\t"}', ARRAY['x,y', NULL, '{"}'],
        ROW(i, 'b"c')::pair, 'fair', '<a>&amp;</a>', i, 'counted' FROM generate_series(1, 500) i;
ALTER TABLE counted DROP gone;
CREATE INDEX counted_at ON counted (at); CREATE UNIQUE INDEX ON counted (old) WHERE m = 'fair';
ALTER TABLE counted ADD UNIQUE (n) DEFERRABLE, REPLICA IDENTITY USING INDEX counted_pkey, CLUSTER ON counted_at;
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE only_made (a int GENERATED ALWAYS AS (7) STORED); INSERT INTO only_made DEFAULT VALUES;
CREATE TABLE empty (id int PRIMARY KEY);
CREATE UNLOGGED TABLE unlogged (id int); INSERT INTO unlogged VALUES (1), (2);
CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2000-01-01') TO ('2020-01-01') PARTITION BY HASH (id);
CREATE TABLE parts_old_0 PARTITION OF parts_old FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_old_1 PARTITION OF parts_old FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT i, '2019-01-01'::date + i FROM generate_series(1, 700) i; CREATE INDEX ON parts (at);
CREATE TABLE parent (id int); CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (3, 'c');
CREATE TABLE typed OF pair; INSERT INTO typed VALUES (1, 'x');
CREATE TABLE egg (id int PRIMARY KEY, hen int); CREATE TABLE hen (id int PRIMARY KEY, egg int REFERENCES egg);
INSERT INTO egg VALUES (1, 1); INSERT INTO hen VALUES (1, 1);
ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE booked (r int4range, EXCLUDE USING gist (r WITH &&)); INSERT INTO booked VALUES ('[1,5)'), ('[5,9)');
CREATE TABLE guarded (id int); INSERT INTO guarded VALUES (1), (2); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (id > 1);
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END';
CREATE TRIGGER never BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION never();
CREATE RULE nowhere AS ON INSERT TO empty DO INSTEAD NOTHING;
CREATE VIEW seen AS SELECT id FROM counted; COMMENT ON VIEW seen IS 'it''s';
CREATE MATERIALIZED VIEW summed AS SELECT count(*) AS n FROM parts; CREATE UNIQUE INDEX ON summed (n);
CREATE MATERIALIZED VIEW later AS SELECT n FROM summed WITH NO DATA;
CREATE STATISTICS together ON id, n FROM counted;
CREATE PUBLICATION feed FOR TABLE counted;
ALTER TABLE counted OWNER TO keeper; GRANT SELECT (half) ON counted TO reader;
SELECT lo_from_bytea(4711, 'large'); SELECT lo_from_bytea(4712, decode(repeat('00ff', 100000), 'hex'));
COMMENT ON LARGE OBJECT 4711 IS 'one';
CREATE EXTENSION pg_trgm;
CREATE TABLE conf (name text, is_ours bool); INSERT INTO conf VALUES ('shipped', false), ('set', true);
ALTER EXTENSION pg_trgm ADD TABLE conf;
UPDATE pg_extension SET extconfig = ARRAY['conf'::regclass::oid], extcondition = ARRAY['WHERE is_ours']
    WHERE extname = 'pg_trgm';
)SQL";

class CopyingADatabase : public testing::Test {
protected:
    static void SetUpTestSuite() {
        directory = std::make_unique<ScratchDirectory>();
        server = ScratchServer::initialize(*directory, "source");
        server->start();
        // Every server has one; those of tests are made without.
        server->sql("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false");
        server->sql("CREATE ROLE keeper LOGIN");
        server->sql("CREATE ROLE reader LOGIN");
    }
    static void TearDownTestSuite() {
        server.reset();
        directory.reset();
    }
    void SetUp() override { make_databases(""); }
    static void make_databases(const std::string& how) {
        for (const char* name : {"app", "other"}) {
            server->sql(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name));
            server->sql(fmt::format("CREATE DATABASE {}{}", name, how));
        }
    }

    static backup::PostgresServer reached(const std::string& database) {
        return {.region = "",
                .connection = backup::to_database(server->conninfo(), database),
                .environment = {},
                .programs = scratch_bin_directory};
    }
    static std::string in(const std::string& database, const std::string& script) {
        return directory->run({reached(database).program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                               reached(database).connection},
                              script);
    }
    static Result<CopiedDatabase> copy(CopyDatabaseOptions options = {},
                                       const backup::PostgresServer& into = reached("other")) {
        options.place = fmt::format("{}/place-{}", directory->path(), ++copies);
        options.threads = 2;
        EXPECT_TRUE(make_directories(options.place));
        return copy_database(reached("app"), into, options);
    }
    // All that it holds and means, without the lines that are different in every dump.
    static std::string dumped(const std::string& database) {
        const std::string text =
            directory->run({reached(database).program("pg_dump"), "-d", reached(database).connection});
        std::string kept;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
            const std::string line = text.substr(at, end - at);
            if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) kept += line;
            at = end;
        }
        return kept;
    }
    static void expect_the_same() {
        const std::string here = dumped("app"), there = dumped("other");
        const auto [first, second] = std::ranges::mismatch(here, there);
        const auto around = [](const std::string& text, auto at) {
            const auto from = std::max<std::ptrdiff_t>(0, at - text.begin() - 300);
            return text.substr(static_cast<std::size_t>(from), 600);
        };
        EXPECT_TRUE(here == there) << around(here, first) << "\n------ and in the other:\n" << around(there, second);
    }

    static std::unique_ptr<ScratchDirectory> directory;
    static std::unique_ptr<ScratchServer> server;
    static int copies;
};
std::unique_ptr<ScratchDirectory> CopyingADatabase::directory;
std::unique_ptr<ScratchServer> CopyingADatabase::server;
int CopyingADatabase::copies = 0;

TEST_F(CopyingADatabase, ItHoldsTheSameWhateverThereIs) {
    in("app", odd_names);
    in("app", tables_of_all_kinds);
    // What the extension would make.
    in("other", "CREATE TABLE conf (name text, is_ours bool)");
    const auto copied = copy({.worth_building = 0});
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(in("other", "SELECT string_agg(name, ' ') FROM conf"), "set\n") << "what the extension ships stays there";
    in("other",
       "ALTER EXTENSION pg_trgm ADD TABLE conf; UPDATE pg_extension SET extconfig = "
       "ARRAY['conf'::regclass::oid], extcondition = ARRAY['WHERE is_ours'] WHERE extname = 'pg_trgm'");
    expect_the_same();
    const std::string tables = in("app",
                                  "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND "
                                  "relname <> 'conf'");
    EXPECT_EQ(std::to_string(copied->rows.size()) + "\n", tables)
        << "all but the one of which only pg_dump knows the rows";
    EXPECT_EQ(in("other", "SELECT count(*) FROM pg_class WHERE relkind = 'm' AND relispopulated"), "1\n");
}

// Their binary form is the server's own; the text of a database's own types is not, and of numbers that it gives them.
TEST_F(CopyingADatabase, ValuesGoAsTheyAreWhereTheyMeanTheSame) {
    in("app", R"SQL(
CREATE TYPE mood AS ENUM ('bad', 'fair');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE plain (a int2, b int4, c int8, d numeric, e numeric(9, 2), f float4, g float8, h bool, i text,
    j varchar(5), k char(4), l bytea, m date, n time, o timetz, p timestamp, q timestamptz, r interval, s uuid, t inet,
    u cidr, v macaddr, w json, x jsonb, y bit(3), z varbit, aa point, ab polygon, ac int[], ad text[], ae int4range,
    af tstzrange, ag int4multirange, ah tsvector, ai tsquery, aj pg_lsn, ak oid, al name, am "char", an money, ao mood,
    ap positive, aq jsonpath, ar real[], as_ circle);
INSERT INTO plain VALUES (-1, -2, -3, 'NaN', 1.5, 'Infinity', -0.0, true, E'a\tb\\\n', 'x', 'y', '\x00ff', 'infinity',
    '01:02:03.000004', '01:02:03+05:30', '-infinity', '0044-03-15 12:00:00+00 BC', '1 mon -2 days 03:04:05.6',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '{"a":  1}', '{"b": [1, null]}',
    '101', '10101', '(1,2)', '((0,0),(1,1),(1,0))', '[0:2]={1,NULL,3}', ARRAY['a', NULL, ''], '[1,5)', 'empty',
    '{[1,2),[5,6)}', 'a:1A b', 'a & !b', '16/B374D848', 4294967295, 'name', 'c', 12.34, 'fair', 7, '$.a[*]',
    '{1.5,NaN}', '<(1,2),3>');
INSERT INTO plain (d) VALUES (123456789012345678901234567890.000123), (NULL);
CREATE TABLE numbers_of_types (a regclass, b mood[], c xml);
INSERT INTO numbers_of_types VALUES ('plain', '{fair,bad}', '<a/>');
CREATE TYPE pair AS (a int, b text); CREATE TABLE pairs (p pair); INSERT INTO pairs VALUES (ROW(1, 'x'));
)SQL");
    // So that no type has the number there that it has here.
    in("other", "CREATE TYPE first AS ENUM ('x'); DROP TYPE first");
    const auto copied = copy();
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(copied->rows.size(), 3U);
    EXPECT_EQ(copied->binary, 1U);
    expect_the_same();
}

// What is packed takes longest, though it looks smaller; the key of the others is built meanwhile.
TEST_F(CopyingADatabase, WhatTakesLongestGoesFirst) {
    in("app",
       "CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 40) AS words FROM generate_series(1, 60000) i; "
       "CREATE TABLE packed AS SELECT i AS id, repeat(md5(i::text), 400) AS words FROM generate_series(1, 60000) i; "
       "ANALYZE");
    in("app",
       "CREATE TABLE never_looked_at AS SELECT i AS id, repeat('x', 500) AS words FROM generate_series(1, 40000) i");
    const auto snapshot = DatabaseSnapshot::take(reached("app"), within(std::chrono::minutes(1)));
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    std::vector<std::string> names;
    for (const verify::TableText& table : (*snapshot)->tables()) names.push_back(table.table);
    EXPECT_EQ(names, (std::vector<std::string>{"packed", "wide", "never_looked_at"}));
    EXPECT_GT((*snapshot)->tables()[0].bytes, 700'000'000U) << "768 MB of words";
}

// The hash of an enum is another in every database, so that a row may belong to another partition there.
TEST_F(CopyingADatabase, RowsThatMayBelongElsewhereFindTheirPartition) {
    in("app",
       "CREATE TYPE mood AS ENUM ('bad', 'fair', 'good', 'best'); CREATE TABLE moods (m mood) PARTITION BY HASH (m); "
       "CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
       "CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1); "
       "INSERT INTO moods SELECT unnest(ARRAY['bad', 'fair', 'good', 'best']::mood[]) FROM generate_series(1, 5)");
    const auto copied = copy();
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(copied->rows.size(), 0U);
    EXPECT_EQ(in("other", "SELECT count(*) FROM moods"), "20\n");
    for (const char* mood : {"bad", "fair", "good", "best"})
        EXPECT_EQ(in("other", fmt::format("SELECT count(*) FROM moods WHERE m = '{}'", mood)), "5\n") << mood;
}

TEST_F(CopyingADatabase, TablesWhoseNamesFindNoRoomGoByTheDump) {
    in("app", odd_names);
    in("app",
       "CREATE TABLE big AS SELECT i AS id, md5(i::text) AS words FROM generate_series(1, 20000) i; "
       "ALTER TABLE big ADD PRIMARY KEY (id)");
    for (const auto& [room, tables] : std::map<std::size_t, std::size_t>{{0, 0}, {40, 1}, {10'000, 7}}) {
        in("postgres", "DROP DATABASE other WITH (FORCE)");
        in("postgres", "CREATE DATABASE other");
        const auto copied = copy({.names_bytes_max = room});
        ASSERT_TRUE(copied) << copied.error().message;
        EXPECT_EQ(copied->rows.size(), tables) << "the largest of them";
        expect_the_same();
    }
}

TEST_F(CopyingADatabase, ManyTablesTakeManyPatterns) {
    in("app",
       "DO $$ BEGIN FOR i IN 1..1200 LOOP EXECUTE format('CREATE TABLE a_long_name_of_a_table_%s AS SELECT %s "
       "AS id', i, i); END LOOP; END $$");
    const auto copied = copy();
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(copied->rows.size(), 1200U);
    expect_the_same();
}

TEST_F(CopyingADatabase, TextsKeepTheEncodingOfTheDatabase) {
    for (const char* encoding : {"LATIN1", "SQL_ASCII"}) {
        make_databases(fmt::format(" ENCODING {} TEMPLATE template0 LOCALE 'C'", encoding));
        in("app",
           "SET client_encoding = LATIN1; CREATE TABLE \"Stra\xdf"
           "e\" (\"gr\xfc\xdf"
           "e\" text); INSERT INTO \"Stra\xdf"
           "e\" VALUES (E'\xe4\\t\xff')");
        const auto copied = copy();
        ASSERT_TRUE(copied) << copied.error().message;
        EXPECT_EQ(copied->rows.size(), 1U);
        expect_the_same();
    }
}

TEST_F(CopyingADatabase, IndexesAndKeysOfTablesThatAreInAreBuiltBesideTheOthers) {
    in("app",
       "CREATE TABLE small (id int PRIMARY KEY, label text UNIQUE); INSERT INTO small SELECT i, 'label ' || i "
       "FROM generate_series(1, 1000) i; CREATE INDEX ON small (lower(label)); CREATE TABLE big AS SELECT i AS "
       "id, repeat(md5(i::text), 4) AS words FROM generate_series(1, 60000) i; CREATE INDEX ON big (words)");
    const auto copied = copy({.worth_building = 0});
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_GE(copied->built_beside, 1U);
    expect_the_same();
}

TEST_F(CopyingADatabase, AllOfItIsOfOneMoment) {
    in("app",
       "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 1000); "
       "CREATE TABLE payments AS TABLE orders; CREATE TABLE by_dump (id int)");
    const std::string before = dumped("app");
    const auto copied = copy({.on_step = [](const std::string& step) {
        if (step == "reading what the copy defines") in("app", "DELETE FROM orders WHERE id > 500");
        if (step == "loading rows") in("app", "INSERT INTO by_dump VALUES (1); INSERT INTO payments VALUES (5000)");
    }});
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(dumped("other"), before);
    EXPECT_NE(dumped("app"), before);
}

// The last row of it cannot be written as text.
TEST_F(CopyingADatabase, ATableThatCannotBeReadEndsItWithItsName) {
    in("app",
       "CREATE TYPE mood AS ENUM ('bad', 'good'); CREATE TABLE fine (id int); CREATE TABLE moods AS SELECT "
       "'good'::mood AS m FROM generate_series(1, 50000); INSERT INTO moods VALUES ('bad'); "
       "DELETE FROM pg_enum WHERE enumlabel = 'bad'");
    const auto copied = copy();
    ASSERT_FALSE(copied);
    EXPECT_THAT(copied.error().message, HasSubstr("public.moods: the copy: "));
    EXPECT_THAT(copied.error().message, HasSubstr("enum"));
    EXPECT_EQ(in("other", "SELECT count(*) FROM moods"), "0\n") << "half of a table is none";
}

TEST_F(CopyingADatabase, WhatTheOtherServerDoesNotTakeEndsItWithTheTable) {
    in("app",
       "CREATE TABLE counted (id int CHECK (id > 0)); INSERT INTO counted VALUES (1); ALTER TABLE counted DROP "
       "CONSTRAINT counted_id_check; INSERT INTO counted VALUES (-1); ALTER TABLE counted ADD CHECK (id > 0) "
       "NOT VALID; UPDATE pg_constraint SET convalidated = true");
    const auto copied = copy();
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().fault, Fault::refused);
    EXPECT_THAT(copied.error().message, HasSubstr("public.counted"));
    EXPECT_THAT(copied.error().message, HasSubstr("check constraint"));
}

TEST_F(CopyingADatabase, EndsWhenItIsCalledOff) {
    in("app", "CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 4) AS words FROM generate_series(1, 50000) i");
    std::stop_source stop;
    const auto copied = copy({.stop = stop.get_token(), .on_step = [&](const std::string& step) {
                                  if (step == "loading rows") stop.request_stop();
                              }});
    ASSERT_FALSE(copied);
    EXPECT_THAT(copied.error().fault, testing::AnyOf(Fault::unavailable, Fault::outcome_unknown));
}

TEST_F(CopyingADatabase, AServerMayWantAPassword) {
    in("app", "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1)");
    in("postgres", "CREATE ROLE loader SUPERUSER LOGIN PASSWORD 'it''s secret'");
    const std::string rules = server->data_directory() + "/pg_hba.conf";
    const std::string as_they_were = read_file(rules).value();
    std::ofstream(rules) << "host all loader all scram-sha-256\n" << as_they_were;
    in("postgres", "SELECT pg_reload_conf()");
    backup::PostgresServer into = reached("other");
    into.connection += " user=loader";
    const auto without = copy({}, into);
    into.environment = {"PGPASSWORD=it's wrong"};
    const auto wrong = copy({}, into);
    into.environment = {"PGPASSWORD=it's secret"};
    const auto copied = copy({}, into);
    std::ofstream(rules) << as_they_were;
    in("postgres", "SELECT pg_reload_conf()");
    EXPECT_FALSE(without);
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, Not(HasSubstr("wrong")));
    ASSERT_TRUE(copied) << copied.error().message;
    expect_the_same();
}

}  // namespace
}  // namespace kedge::recover
