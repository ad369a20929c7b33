// Dumps of real servers in every format, loaded into a new one: whole, or without those who are erased.
#include "recover/load_dump.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "os/files.h"
#include "real_dumps.h"
#include "recover/erased_for_tests.h"
#include "recover/filter_plan.h"
#include "targets/postgres/scratch_cluster.h"
#include "verify/files/file_source.h"
#include "verify/restore/restored_rows.h"
#include "verify/restore/workplace.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using verify::DumpForm;
using verify::OwnPostgres;

std::string tool_at(const char* program) {
    return std::string(scratch_bin_directory) + "/" + program;
}

class LoadingADump : public testing::Test {
protected:
    static void SetUpTestSuite() {
        directory = std::make_unique<ScratchDirectory>();
        source = ScratchServer::initialize(*directory, "source");
        source->start();
    }
    static void TearDownTestSuite() {
        source.reset();
        directory.reset();
    }
    void SetUp() override {
        for (const char* owned : {"DROP DATABASE IF EXISTS app WITH (FORCE)", "CREATE DATABASE app"})
            source->sql(owned);
    }

    static void in_app(const std::string& script) {
        directory->run({tool_at("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", source->conninfo() + " dbname=app"},
                       script);
    }
    DumpToLoad dumped(DumpForm form, Arguments more = {}) {
        const std::string path = fmt::format("{}/dump-{}", directory->path(), ++dumps);
        const char* const format = form == DumpForm::custom ? "-Fc" : form == DumpForm::tar ? "-Ft" : "-Fd";
        Arguments words = {tool_at("pg_dump"), format, "-f", path, "-d", source->conninfo() + " dbname=app"};
        words.insert(words.end(), more.begin(), more.end());
        directory->run(words);
        return {.path = path, .form = form, .database = "app"};
    }
    Result<Filtered> load(const DumpToLoad& dump, const Excluded& excluded,
                          std::uint64_t worth_building = usually_worth_building) {
        const auto owner = verify::postgres_owner().value();
        server.reset();
        place.emplace(verify::Workplace::open(directory->path() + "-place", 0, owner).value());
        server.emplace(OwnPostgres::start(place->path(), 15, owner, {}).value());
        return load_dump(*server, dump, excluded, {.threads = 2, .worth_building = worth_building});
    }
    Excluded everybody_excluded() const {
        return {.map = &map, .says = "", .subjects = erased_people(), .ledger_head = ""};
    }
    std::string ask(const std::string& sql) const {
        const auto answer = server->query("app", sql, 1min, {});
        return answer ? answer->substr(0, answer->find('\n')) : answer.error().message;
    }
    void TearDown() override {
        server.reset();
        place.reset();
        std::filesystem::remove_all(directory->path() + "-place");
    }

    static std::unique_ptr<ScratchDirectory> directory;
    static std::unique_ptr<ScratchServer> source;
    static int dumps;
    ErasureMap map = map_of_everybody();
    std::optional<verify::Workplace> place;
    std::optional<OwnPostgres> server;
};
std::unique_ptr<ScratchDirectory> LoadingADump::directory;
std::unique_ptr<ScratchServer> LoadingADump::source;
int LoadingADump::dumps = 0;

TEST_F(LoadingADump, ErasedPeoplesRowsStayBehindInEveryFormat) {
    in_app(everybody);
    for (const DumpForm form : {DumpForm::custom, DumpForm::directory, DumpForm::tar}) {
        const auto filtered = load(dumped(form), everybody_excluded());
        ASSERT_TRUE(filtered) << filtered.error().message;
        EXPECT_EQ(filtered->says, "");
        const std::map<std::string, std::uint64_t> gone = {
            {"public.people", 2},      {"public.nodes", 100},     {"public.votes", 100}, {"public.accounts", 1},
            {"public.visits_old", 15}, {"public.visits_new", 15}, {"public.badges", 1}};
        EXPECT_EQ(filtered->rows, gone);
        EXPECT_EQ(filtered->changed,
                  (std::map<std::string, std::uint64_t>{{"public.debates", 100}, {"public.drafts", 2}}));
        for (const auto& [table, rows] : rows_left) EXPECT_EQ(ask("SELECT count(*) FROM ONLY " + table), rows) << table;
        EXPECT_EQ(ask("SELECT string_agg(id, ',' ORDER BY id) FROM people"), "u11,u2");
        EXPECT_EQ(
            ask("SELECT count(*) FROM debates WHERE creator IS NULL AND task = E'(erased)\\n' AND kind = E'k\\\\'"),
            "100");
        EXPECT_EQ(ask("SELECT count(*) FROM debates WHERE creator = 'u2' AND task = 'task'"), "100");
        EXPECT_EQ(ask("SELECT string_agg(coalesce(owner, '-'), ',' ORDER BY id) FROM drafts"), "-,u2,-,-");
        EXPECT_EQ(ask("SELECT count(*) FROM plain WHERE label = E'u1\\tu1\\\\'"), "800");
        EXPECT_EQ(ask("SELECT note FROM people WHERE id = 'u2'"), "tab\there, \\N and \\.");
        EXPECT_EQ(ask("SELECT last_value FROM numbers"), "42");
        EXPECT_EQ(ask("SELECT count(*) FROM pg_largeobject"), "1");
        EXPECT_EQ(ask("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND conparentid = 0"),
                  "4");
        EXPECT_EQ(ask("SELECT count(*) FROM pg_database WHERE datname LIKE 'kedge%'"), "0");
    }
}

TEST_F(LoadingADump, WithNobodyExcludedEveryRowIsThere) {
    in_app(everybody);
    const auto filtered = load(dumped(DumpForm::custom, {"--load-via-partition-root"}), {.says = "there is no map"});
    ASSERT_TRUE(filtered) << filtered.error().message;
    EXPECT_EQ(filtered->says, "there is no map");
    EXPECT_TRUE(filtered->rows.empty());
    EXPECT_EQ(ask("SELECT count(*) FROM people"), "4");
    EXPECT_EQ(ask("SELECT count(*) FROM visits"), "300");
    EXPECT_EQ(ask("SELECT count(*) FROM visits_old"), "150");
}

TEST_F(LoadingADump, TablesOfEveryKindHaveTheirRows) {
    const verify::RealDatabase real;
    const std::string path = directory->path() + "/real";
    for (const std::string& archive : {real.dump({"-Fc"}), real.dump_through_pipe({"-Fc", "--inserts"})}) {
        directory->run({"tee", path}, archive);
        const auto loaded = load({.path = path, .form = DumpForm::custom, .database = "postgres"}, {.says = "nobody"});
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(verify::count_rows(*server, "postgres", {}).value(), real.rows());
        const auto objects = server->query("postgres", "SELECT count(*) FROM pg_largeobject_metadata", 1min, {});
        EXPECT_EQ(objects.value(), std::to_string(verify::RealDatabase::large_objects) + "\n");
    }
}

TEST_F(LoadingADump, RowsThatGoThroughTheRootAreFilteredToo) {
    in_app(everybody);
    const auto filtered = load(dumped(DumpForm::custom, {"--load-via-partition-root"}), everybody_excluded());
    ASSERT_TRUE(filtered) << filtered.error().message;
    EXPECT_EQ(ask("SELECT count(*) FROM visits"), "270");
    EXPECT_EQ(ask("SELECT count(*) FROM visits WHERE person = 7"), "0");
}

// While the last table still loads.
TEST_F(LoadingADump, IndexesAndKeysOfTablesThatAreInAreBuiltBesideTheOthers) {
    in_app(
        "CREATE TABLE small (id int PRIMARY KEY, label text UNIQUE); INSERT INTO small SELECT i, 'label ' || i FROM "
        "generate_series(1, 1000) i; CREATE INDEX small_words ON small (lower(label)); "
        "ALTER TABLE small CLUSTER ON small_words, REPLICA IDENTITY USING INDEX small_pkey; "
        "COMMENT ON INDEX small_words IS 'words'; CREATE STATISTICS together ON id, label FROM small; "
        "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); "
        "CREATE TABLE parted_one PARTITION OF parted FOR VALUES FROM (0) TO (100); INSERT INTO parted VALUES (7); "
        "CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 4) AS words, 1 + i % 1000 AS small FROM "
        "generate_series(1, 150000) i; CREATE INDEX ON big (words); "
        "ALTER TABLE big ADD PRIMARY KEY (id), ADD FOREIGN KEY (small) REFERENCES small; "
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM small; CREATE INDEX ON counted (n)");
    const backup::PostgresServer before{.region = "",
                                        .connection = source->conninfo() + " dbname=app",
                                        .environment = {},
                                        .programs = scratch_bin_directory};
    const auto defined = [](const backup::PostgresServer& of) {
        return backup::ask_postgres(
                   of,
                   "SELECT string_agg(indexdef, '; ' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public' "
                   "UNION ALL SELECT string_agg(format('%s %s %s', conrelid::regclass, conname, "
                   "pg_get_constraintdef(oid)), '; ' ORDER BY conname) FROM pg_constraint WHERE connamespace = "
                   "'public'::regnamespace "
                   "UNION ALL SELECT string_agg(format('%s %s %s %s', indexrelid::regclass, indisvalid, "
                   "indisclustered, "
                   "indisreplident), '; ' ORDER BY indexrelid::regclass::text) FROM pg_index JOIN pg_class c ON c.oid "
                   "= indexrelid WHERE relnamespace = 'public'::regnamespace",
                   1min, {})
            .value();
    };
    for (const DumpForm form : {DumpForm::custom, DumpForm::directory, DumpForm::tar}) {
        const auto filtered = load(dumped(form), {}, 0);
        ASSERT_TRUE(filtered) << filtered.error().message;
        EXPECT_GE(filtered->built_beside, 1U);
        EXPECT_EQ(defined({.region = "",
                           .connection = fmt::format("host={} user=postgres dbname=app", server->socket_directory()),
                           .environment = {},
                           .programs = scratch_bin_directory}),
                  defined(before));
        EXPECT_EQ(ask("SELECT (SELECT count(*) FROM big), (SELECT n FROM counted)"), "150000\t1000");
    }
}

// Why nothing of `dump` would be filtered: the database that it was taken of has the same definitions.
std::string why_not(const DumpToLoad& dump, const ErasureMap& map, const std::string& app) {
    verify::Effort effort;
    const auto file = verify::FileSource::open(dump.path, effort).value();
    const auto texts = verify::TableTexts::of_custom(*file, effort).value();
    const backup::PostgresServer definitions{
        .region = "", .connection = app, .environment = {}, .programs = scratch_bin_directory};
    const auto plan = plan_filter(definitions, map, erased_people(), texts, {});
    return plan ? plan->why_not : plan.error().message;
}

TEST_F(LoadingADump, WhatCannotBeToldFromTheTextIsLeftToTheGateAndSaid) {
    in_app(everybody);
    const auto why = [&](const std::string& script, const Arguments& more = {}) {
        in_app(script);
        return why_not(dumped(DumpForm::custom, more), map, source->conninfo() + " dbname=app");
    };
    EXPECT_EQ(why(""), "");
    EXPECT_THAT(why("", {"--inserts"}), HasSubstr("INSERT"));
    EXPECT_THAT(why("", {"-E", "LATIN1"}), HasSubstr("LATIN1"));
    EXPECT_THAT(why("ALTER TABLE nodes ADD before int REFERENCES nodes"), HasSubstr("refers to itself"));
    EXPECT_THAT(
        why("ALTER TABLE nodes DROP before; ALTER TABLE people ADD node int REFERENCES nodes ON DELETE CASCADE"),
        HasSubstr("through others"));
    EXPECT_THAT(why("ALTER TABLE people DROP node; ALTER TABLE accounts ALTER id TYPE bytea USING uuid_send(id)"),
                HasSubstr("bytea"));
    EXPECT_THAT(why("ALTER TABLE accounts ALTER id TYPE text USING encode(id, 'hex'); "
                    "CREATE TABLE heirs () INHERITS (accounts)"),
                HasSubstr("inherit"));
    map.not_personal.emplace_back("public.halls", "words");
    EXPECT_THAT(
        why("DROP TABLE heirs; DELETE FROM nodes; DELETE FROM debates; ALTER TABLE debates ADD UNIQUE (task); "
            "CREATE TABLE halls (task text REFERENCES debates (task)); ALTER TABLE people ADD UNIQUE (id, email)"),
        HasSubstr("which changes"));
    EXPECT_THAT(why("DROP TABLE halls; CREATE TABLE halls (id text, email text, FOREIGN KEY (id, email) REFERENCES "
                    "people (id, email))"),
                HasSubstr("several columns"));
}

TEST_F(LoadingADump, ATableThatTheMapMissesStopsItBeforeARowIsLoaded) {
    in_app(everybody);
    in_app("CREATE TABLE likes (debate bigint REFERENCES debates)");
    const auto refused = load(dumped(DumpForm::custom), everybody_excluded());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, HasSubstr("public.likes"));
    EXPECT_THAT(ask("SELECT 1"), HasSubstr("does not exist")) << "not even its database was made";
}

TEST_F(LoadingADump, RowsThatWouldReferToNothingStopIt) {
    in_app(everybody);
    in_app("CREATE TABLE pins (node int REFERENCES nodes); INSERT INTO pins VALUES (3)");
    map.not_personal.emplace_back("public.pins", "numbers");
    const auto refused = load(dumped(DumpForm::custom), everybody_excluded());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, HasSubstr("pins_node_fkey"));
}

TEST_F(LoadingADump, TheFirstErrorOfTheServerEndsIt) {
    in_app("CREATE TABLE counted (id int CHECK (id > 0)); INSERT INTO counted VALUES (1)");
    in_app(
        "ALTER TABLE counted DROP CONSTRAINT counted_id_check; INSERT INTO counted VALUES (-1); "
        "ALTER TABLE counted ADD CHECK (id > 0) NOT VALID; UPDATE pg_constraint SET convalidated = true");
    const auto refused = load(dumped(DumpForm::custom), {.says = "nobody"});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("public.counted"));
    EXPECT_THAT(refused.error().message, HasSubstr("check constraint"));
}

// In KiB, as the kernel says it of this process.
std::uint64_t memory(const char* what) {
    const std::string status = read_file("/proc/self/status").value();
    return std::stoull(status.substr(status.find(what) + std::string_view(what).size()));
}

TEST_F(LoadingADump, ALargeTableTakesNoMoreMemoryThanItsLongestRow) {
    in_app(everybody);
    in_app("INSERT INTO nodes SELECT repeat('long ', 20000), i % 300 + 1, i FROM generate_series(1000, 3000) i");
    const DumpToLoad dump = dumped(DumpForm::custom);
    std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): the peak begins anew
    const std::uint64_t before = memory("VmRSS:");
    const auto filtered = load(dump, everybody_excluded());
    ASSERT_TRUE(filtered) << filtered.error().message;
    EXPECT_GT(filtered->rows.at("public.nodes"), 700U);
    EXPECT_LT(memory("VmHWM:"), before + (64U << 10)) << "of 200 MB of rows";
}

}  // namespace
}  // namespace kedge::recover
