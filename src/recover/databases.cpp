#include "recover/databases.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "backup/servers.h"
#include "backup/sql_text.h"
#include "base/json.h"
#include "os/clock.h"
#include "os/wait.h"
#include "recover/sql_session.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr Span question_limit = 60s, directory_limit = 10min, end_limit = 20s;
constexpr std::size_t database_name_max = 63;  // NAMEDATALEN - 1

std::set<std::string> lines_of(const std::string& text) {
    std::set<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.insert(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

// What makes `name` like `like`. The values of settings that are lists are taken over by the server itself: written as
// one text they would mean one element (pg_dump, dumputils.c, has the same names).
std::string attributes_of(const std::string& like, const std::string& name) {
    return fmt::format(R"(
DO $kedge$
DECLARE
    old pg_database%ROWTYPE;
    one record;
    of_role text;
BEGIN
    SELECT * INTO STRICT old FROM pg_database WHERE datname = {0};
    EXECUTE format('ALTER DATABASE %I OWNER TO %I', {1}, pg_get_userbyid(old.datdba));
    EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT %s', {1}, old.datconnlimit);
    EXECUTE format('COMMENT ON DATABASE %I IS %L', {1}, shobj_description(old.oid, 'pg_database'));
    IF old.datacl IS NOT NULL THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', {1});
        FOR one IN SELECT * FROM aclexplode(old.datacl) LOOP
            EXECUTE format('GRANT %s ON DATABASE %I TO %s%s', one.privilege_type, {1},
                           CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one.grantee)) END,
                           CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
    END IF;
    FOR one IN SELECT setrole, split_part(setting, '=', 1) AS key, substr(setting, strpos(setting, '=') + 1) AS value
                 FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setdatabase = old.oid LOOP
        of_role := CASE one.setrole WHEN 0 THEN format('ALTER DATABASE %I', {1})
                   ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(one.setrole), {1}) END;
        IF one.key IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries') THEN
            PERFORM set_config(one.key, one.value, true);
            EXECUTE format('%s SET %I FROM CURRENT', of_role, one.key);
        ELSE
            EXECUTE format('%s SET %s TO %L', of_role, one.key, one.value);
        END IF;
    END LOOP;
END $kedge$)",
                       sql_literal(like), sql_literal(name));
}

}  // namespace

Result<void> check_database_name(const std::string& name) {
    if (name.size() <= database_name_max) return {};
    return Error{
        Fault::refused,
        fmt::format("`{}` has {} bytes, and a database's name at most {}", name, name.size(), database_name_max),
        "give the recovery a shorter name"};
}

backup::PostgresServer Databases::reached(const std::string& name) const {
    backup::PostgresServer server = server_;
    server.connection = backup::to_database(server_.connection, name);
    return server;
}

Result<void> Databases::begin() {
    SqlSession session = TRY(SqlSession::open(reached(maintenance_), server_.region, within(limit_, stop_)));
    backend_ = TRY(session.ask(
        "SELECT format('pid = %s AND backend_start = %L', pid, backend_start) FROM pg_stat_activity WHERE pid = "
        "pg_backend_pid()"));
    session_ = std::move(session);
    return {};
}

// A server that was left in the middle of a statement goes on with it.
Result<Databases> Databases::after_failure() {
    session_.reset();
    Databases again(server_, "", {});
    again.maintenance_ = maintenance_;
    again.limit_ = question_limit;
    if (backend_.empty()) return again;
    TRY(again.ask(fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {}", backend_)));
    for (const Moment end = SystemClock{}.now() + end_limit;;) {
        if (TRY(again.ask("SELECT count(*) FROM pg_stat_activity WHERE " + backend_)) == "0") return again;
        if (SystemClock{}.now() > end)
            return Error{Fault::unavailable, "the server does not end what it was asked before"};
        wait_out(within(20ms));
    }
}

// A session that was told no is spent.
Result<std::string> Databases::ask(const std::string& sql) {
    if (!session_) TRY(begin());
    auto answer = session_->ask(sql);
    if (!answer) session_.reset();
    return answer;
}

Result<std::set<std::string>> Databases::names() {
    return lines_of(TRY(ask("SELECT datname FROM pg_database")));
}

Result<std::int64_t> Databases::major() {
    const std::string text = TRY(ask("SELECT current_setting('server_version_num')::int / 10000"));
    std::int64_t major = 0;
    std::from_chars(text.data(), text.data() + text.size(), major);
    return major;
}

Result<std::string> Databases::bound_by(const std::string& name) {
    return ask(fmt::format(
        "SELECT string_agg(what, ', ') FROM ("
        "SELECT 'the replication slot ' || slot_name AS what FROM pg_replication_slots WHERE database = {0} "
        "UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = {0} "
        "UNION ALL SELECT 'the subscription ' || subname FROM pg_subscription JOIN pg_database d "
        "ON d.oid = subdbid WHERE datname = {0}) AS bound",
        sql_literal(name)));
}

// createdb says what it is asked in arguments; which of them there are depends on the version.
Result<void> Databases::create(const std::string& name, const backup::PostgresServer& copy) const {
    const Json of = TRY(parse_json(TRY(backup::ask_postgres(
        copy,
        "SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(encoding), 'owner', "
        "pg_get_userbyid(datdba)) FROM pg_database d WHERE datname = current_database()",
        question_limit, stop_))));
    const auto text = [&](std::string_view key) { return get_string(of, key).value_or(""); };
    const backup::PostgresServer server = reached(maintenance_);
    Arguments command = {server.program("createdb"),
                         "-w",
                         "--maintenance-db=" + server.connection,
                         "--template=template0",
                         "--encoding=" + text("encoding"),
                         "--lc-collate=" + text("datcollate"),
                         "--lc-ctype=" + text("datctype"),
                         "--owner=" + text("owner")};
    const std::string locale = text(of.contains("datlocale") ? "datlocale" : "daticulocale");
    if (text("datlocprovider") == "i")
        command.insert(command.end(), {"--locale-provider=icu", "--icu-locale=" + locale});
    if (text("datlocprovider") == "b")
        command.insert(command.end(), {"--locale-provider=builtin", "--builtin-locale=" + locale});
    command.insert(command.end(), {"--", name});
    TRY(run_or_fail(command, within(directory_limit, stop_), {.environment = server.environment}));
    return {};
}

Result<void> Databases::drop(const std::string& name) const {
    const backup::PostgresServer server = reached(maintenance_);
    TRY(run_or_fail(
        {server.program("dropdb"), "-w", "--maintenance-db=" + server.connection, "--if-exists", "--force", "--", name},
        within(directory_limit, stop_), {.environment = server.environment}));
    return {};
}

Result<void> Databases::close(const std::string& name) {
    TRY(ask(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql_name(name))));
    return put_out(name);
}

Result<void> Databases::put_out(const std::string& name) {
    TRY(ask(
        fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}", sql_literal(name))));
    return {};
}

Result<void> Databases::open(const std::string& name) {
    TRY(ask(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS true", sql_name(name))));
    return {};
}

Result<bool> Databases::is_open(const std::string& name) {
    return TRY(ask(fmt::format("SELECT datallowconn FROM pg_database WHERE datname = {}", sql_literal(name)))) == "t";
}

// One message, so that nobody waits for the way there and back between two of its statements.
Result<void> Databases::rename(const std::vector<Renaming>& renamings, const std::string& like) {
    std::string statements = "BEGIN";
    for (const auto& [from, to, open] : renamings)
        statements += fmt::format("\\;\nALTER DATABASE {0} RENAME TO {1}\\;\nALTER DATABASE {1} ALLOW_CONNECTIONS {2}",
                                  sql_name(from), sql_name(to), open);
    if (!like.empty()) statements += "\\;" + attributes_of(like, renamings.back().to);
    TRY(ask(statements + "\\;\nCOMMIT"));
    return {};
}

}  // namespace kedge::recover
