#include "real_dumps.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

std::string tool(const char* program) {
    return std::string(scratch_bin_directory) + "/" + program;
}

// One of each kind that dumps treat in a way of its own.
constexpr const char* everything = R"SQL(
CREATE TABLE plain(id int PRIMARY KEY, a text, b numeric, c bytea);
INSERT INTO plain SELECT i, 'row '||i||E'\twith tab\nand newline \\ back\b\f\v\r', i*1.5, decode(md5(i::text),'hex')
    FROM generate_series(1,3000) i;
INSERT INTO plain VALUES (-1,null,null,null),(-2,'\.',2,null),(-3,'\N',null,''),(-4,'ünï çödé 漢字 🙂',null,null),
    (-5,E'\x01\x07\x1f\x7f',null,null),(-6,repeat('long ',40000),null,null),(-7,'INSERT INTO x VALUES (1);'' "',1,null);
CREATE TABLE empty(a int, b text);
CREATE TABLE nocolumns(); INSERT INTO nocolumns DEFAULT VALUES; INSERT INTO nocolumns DEFAULT VALUES;
CREATE TABLE onecolumn(a text); INSERT INTO onecolumn VALUES (''),('\.'),(null),('x'),('\N'),(E'\n');
CREATE TABLE "Odd ""Table"" (x, y) FROM stdin;"("a,b" int, "c)" text, "d FROM stdin;" text, "new
line" int, "x""y" text);
INSERT INTO "Odd ""Table"" (x, y) FROM stdin;" SELECT i,i,i,i,i FROM generate_series(1,10) i;
CREATE TABLE generated(a int, b int GENERATED ALWAYS AS (a*2) STORED, c text);
INSERT INTO generated(a,c) SELECT i,'c' FROM generate_series(1,5) i;
CREATE TABLE onlygenerated(b int GENERATED ALWAYS AS (1) STORED); INSERT INTO onlygenerated DEFAULT VALUES;
CREATE TABLE identity(a int GENERATED ALWAYS AS IDENTITY, b text); INSERT INTO identity(b) VALUES ('x'),('y');
CREATE TABLE parted(k int, v text) PARTITION BY RANGE(k);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE part2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
INSERT INTO parted SELECT i, 'v'||i FROM generate_series(0,199) i;
CREATE TABLE parent(a int); CREATE TABLE child(b int) INHERITS(parent); INSERT INTO child VALUES(1,2);
CREATE TYPE composite AS (x int, y text); CREATE TABLE typed OF composite; INSERT INTO typed VALUES (1,'z');
CREATE SCHEMA "S p"; CREATE TABLE "S p".dropped(a int); ALTER TABLE "S p".dropped ADD b int;
ALTER TABLE "S p".dropped DROP a; INSERT INTO "S p".dropped VALUES (7);
CREATE UNLOGGED TABLE unlogged(a int[]); INSERT INTO unlogged VALUES ('{1,2}');
CREATE SEQUENCE sequence; CREATE VIEW view AS SELECT 1 AS one; COMMENT ON TABLE plain IS 'it''s a table';
CREATE FUNCTION function(int, text) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE MATERIALIZED VIEW materialized AS SELECT * FROM plain WHERE id < 5;
CREATE INDEX ON plain(a) WHERE id < 100; CREATE INDEX ON plain(a, b); ALTER TABLE empty ADD CHECK (a > 0);
SELECT lo_from_bytea(0, decode(repeat(md5(i::text), i),'hex')) FROM generate_series(1,20) i; SELECT lo_create(4000000000);
)SQL";

}  // namespace

RealDatabase::RealDatabase() : server_(ScratchServer::initialize(directory_, "dumped")) {
    server_->start();
    directory_.run({tool("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", server_->conninfo()}, everything);
    rows_ = {{"public.plain", 3007},
             {"public.empty", 0},
             {"public.nocolumns", 2},
             {"public.onecolumn", 6},
             {"public.Odd \"Table\" (x, y) FROM stdin;", 10},
             {"public.generated", 5},
             {"public.onlygenerated", 1},
             {"public.identity", 2},
             {"public.part1", 100},
             {"public.part2", 100},
             {"public.parent", 0},
             {"public.child", 1},
             {"public.typed", 1},
             {"S p.dropped", 1},
             {"public.unlogged", 1}};
}

std::string RealDatabase::dump(const Arguments& arguments) const {
    const std::string path = directory_.path() + "/written.dump";
    Arguments all{tool("pg_dump"), "-d", server_->conninfo(), "-f", path};
    all.insert(all.end(), arguments.begin(), arguments.end());
    directory_.run(all);
    const auto bytes = read_file(path);
    check(bytes.has_value(), "what pg_dump wrote can be read");
    directory_.run({"rm", "--", path});
    return *bytes;
}

std::string RealDatabase::dump_through_pipe(const Arguments& arguments) const {
    Arguments all{tool("pg_dump"), "-d", server_->conninfo()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return directory_.run(all);
}

std::map<std::string, std::string> RealDatabase::dump_directory(const Arguments& arguments) const {
    const std::string path = directory_.path() + "/directory";
    Arguments all{tool("pg_dump"), "-d", server_->conninfo(), "-Fd", "-f", path};
    all.insert(all.end(), arguments.begin(), arguments.end());
    directory_.run(all);
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(path)) {
        const auto bytes = read_file(entry.path());
        check(bytes.has_value(), "what pg_dump wrote can be read");
        files[entry.path().filename()] = *bytes;
    }
    directory_.run({"rm", "-r", "--", path});
    return files;
}

void RealDatabase::grow(int rows) const {
    server_->sql(
        fmt::format("CREATE TABLE filling AS SELECT i, md5(i::text) || md5((i + 1)::text) || md5((-i)::text) AS t "
                    "FROM generate_series(1, {}) i",
                    rows));
}

void RealDatabase::change() const {
    server_->sql("INSERT INTO plain SELECT max(id) + 1, md5(random()::text), random(), null FROM plain");
}

std::optional<int> pg_restore_exit(const Arguments& arguments, const std::string& path) {
    Arguments all{tool("pg_restore")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.push_back(path);
    const auto output = run(all, within(10s));
    if (!output) return std::nullopt;
    return output->exit.signal != 0 ? 128 + output->exit.signal : output->exit.code;
}

}  // namespace kedge::verify
