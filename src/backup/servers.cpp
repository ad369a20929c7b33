#include "backup/servers.h"

#include <fmt/format.h>

#include <cctype>
#include <chrono>

#include "backup/sql_text.h"
#include "os/secret.h"
#include "targets/database.h"

namespace kedge::backup {
namespace {

using namespace std::chrono_literals;

constexpr Span first_answer = 10s;
constexpr std::string_view password_name = "PGPASSWORD";

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

// "NAME=secret" for a program that takes its password from there; nothing if the estate names none.
Result<Environment> password_in(const Settings& settings, std::string_view name) {
    const auto reference = settings.text("password");
    if (!reference) return Environment{};
    return Environment{fmt::format("{}={}", name, TRY(read_secret(*reference)))};
}

PostgresServer beside(PostgresServer server, const std::string& database) {
    server.connection = to_database(server.connection, other_database(database));
    return server;
}

// The database may be closed or gone where its server is not: what the server says of it names it, in every language.
Result<std::string> ask_role(const PostgresServer& server, const std::optional<std::string>& database,
                             const std::stop_token& stop) {
    constexpr std::string_view question = "SELECT pg_is_in_recovery()";
    auto role = ask_postgres(server, std::string(question), first_answer, stop);
    if (role || !database || role.error().message.find(*database) == std::string::npos) return role;
    return ask_postgres(beside(server, *database), std::string(question), first_answer, stop);
}

// The first that `is_spare`, else the first at all; unavailable with what those that are silent said.
template <class Server, class Spare>
Result<Server> preferred(const std::string& target, std::vector<Server> servers, const std::string& silent,
                         const Spare& is_spare) {
    if (servers.empty()) return Error{Fault::unavailable, fmt::format("{}: no copy of it answers{}", target, silent)};
    for (Server& server : servers)
        if (is_spare(server)) return std::move(server);
    return std::move(servers.front());
}

// Sites in question: the one that was named, or all.
Result<std::vector<const Site*>> sites_of(const Target& target, const std::optional<std::string>& region) {
    std::vector<const Site*> sites;
    for (const Site& site : target.sites)
        if (!region || site.region == *region) sites.push_back(&site);
    if (sites.empty())
        return Error{Fault::not_found, fmt::format("{} has no copy in `{}`", target.name, region.value_or(""))};
    return sites;
}

Result<std::string> ask_redis(const RedisServer& server, const Arguments& words, const std::stop_token& stop) {
    const RunOutput output =
        TRY(run_or_fail(server.command(words), within(first_answer, stop), {.environment = server.environment}));
    return output.out;
}

}  // namespace

std::string PostgresServer::password() const {
    for (const std::string& variable : environment)
        if (variable.starts_with(password_name) && variable[password_name.size()] == '=')
            return variable.substr(password_name.size() + 1);
    return "";
}

Result<std::string> ask_postgres(const PostgresServer& server, const std::string& sql, Span limit,
                                 const std::stop_token& stop) {
    Environment environment = server.environment;
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    environment.push_back(
        fmt::format("PGOPTIONS=-c statement_timeout={} -c default_transaction_read_only=on", milliseconds));
    environment.push_back("PGCONNECT_TIMEOUT=5");
    environment.push_back("PGCLIENTENCODING=UTF8");
    // The server ends the statement; the limit here is for one that has fallen silent.
    const RunOutput output =
        TRY(run({server.program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-w", "-v", "ON_ERROR_STOP=1", "-d",
                 server.connection},
                within(limit + first_answer, stop), {.input = sql + ";\n", .environment = environment}));
    if (!output.exit.ok())
        return Error{Fault::unavailable, output.err.empty() ? to_string(output.exit) : trimmed(output.err)};
    return trimmed(output.out);
}

// Of a keyword that stands twice libpq takes the last (PostgreSQL manual, 34.1.1 has both forms).
std::string to_database(const std::string& connection, const std::string& database) {
    if (connection.starts_with("postgresql://") || connection.starts_with("postgres://")) {
        std::string encoded;
        for (const char letter : database) {
            const auto byte = static_cast<unsigned char>(letter);
            encoded += std::isalnum(byte) != 0 ? std::string(1, letter) : fmt::format("%{:02X}", byte);
        }
        return fmt::format("{}{}dbname={}", connection, connection.find('?') == std::string::npos ? '?' : '&', encoded);
    }
    std::string quoted;
    for (const char letter : database) {
        if (letter == '\'' || letter == '\\') quoted += '\\';
        quoted += letter;
    }
    return fmt::format("{} dbname='{}'", connection, quoted);
}

Result<bool> has_database(const PostgresServer& server, const std::string& database, const std::stop_token& stop) {
    const std::string found = TRY(ask_postgres(
        beside(server, database),
        fmt::format("SELECT count(*) FROM pg_database WHERE datname = {}", sql_literal(database)), first_answer, stop));
    return found == "1";
}

Result<PostgresServer> find_postgres(const Target& target, const std::optional<std::string>& region,
                                     const std::stop_token& stop) {
    const auto database = target.settings.text("database");
    std::vector<PostgresServer> answering;
    std::string silent;
    for (const Site* site : TRY(sites_of(target, region))) {
        PostgresServer server{.region = site->region,
                              .connection = site->settings.text("connection").value_or(""),
                              .environment = TRY(password_in(site->settings, password_name)),
                              .programs = target.settings.text("bin-directory").value_or("/usr/lib/postgresql/15/bin")};
        if (database) server.connection = to_database(server.connection, *database);
        const auto standby = ask_role(server, database, stop);
        if (!standby) {
            silent += fmt::format("; {}: {}", site->region, standby.error().message);
            continue;
        }
        server.is_standby = *standby == "t";
        answering.push_back(std::move(server));
    }
    return preferred(target.name, std::move(answering), silent,
                     [](const PostgresServer& server) { return server.is_standby; });
}

Arguments RedisServer::command(const Arguments& words) const {
    Arguments arguments = {"redis-cli", "-h", host, "-p", port};
    if (!user.empty()) arguments.insert(arguments.end(), {"--user", user});
    arguments.insert(arguments.end(), words.begin(), words.end());
    return arguments;
}

Result<RedisServer> find_redis(const Target& target, const std::optional<std::string>& region,
                               const std::stop_token& stop) {
    std::vector<RedisServer> answering;
    std::string silent;
    for (const Site* site : TRY(sites_of(target, region))) {
        const std::string address = site->settings.text("address").value_or("");
        const std::size_t colon = address.rfind(':');
        if (colon == std::string::npos)
            return Error{Fault::invalid_input, fmt::format("{}: `{}` is no HOST:PORT", target.name, address)};
        RedisServer server{.region = site->region,
                           .host = address.substr(0, colon),
                           .port = address.substr(colon + 1),
                           .user = target.settings.text("username").value_or(""),
                           .environment = TRY(password_in(target.settings, "REDISCLI_AUTH"))};
        const auto info = ask_redis(server, {"INFO", "replication"}, stop);
        if (!info || info->find("role:") == std::string::npos) {
            silent += fmt::format("; {}: {}", site->region, info ? trimmed(*info) : info.error().message);
            continue;
        }
        server.is_replica =
            info->find("role:slave") != std::string::npos && info->find("master_link_status:up") != std::string::npos;
        answering.push_back(std::move(server));
    }
    return preferred(target.name, std::move(answering), silent,
                     [](const RedisServer& server) { return server.is_replica; });
}

}  // namespace kedge::backup
