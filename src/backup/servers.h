// The servers that backups are taken of, as `psql`, `pg_dump`, `pg_basebackup` and `redis-cli` reach them: by the sites
// of a target in the estate. Passwords go to those programs by their environment, never by their arguments.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "estate/estate.h"
#include "os/process.h"

namespace kedge::backup {

struct PostgresServer {
    std::string region;
    std::string connection;   // libpq connection string
    Environment environment;  // with the password, if there is one
    std::string programs;     // the directory with psql and the others
    bool is_standby = false;

    std::string program(const std::string& name) const { return programs + "/" + name; }
    // For a connection of our own; empty if there is none.
    std::string password() const;
};

// `connection`, a libpq connection string of either form, to another database.
std::string to_database(const std::string& connection, const std::string& database);

// The copy that is read, for backups and to be compared with, in the database that the target names: in `region` if it
// is named, else a standby that answers, else the primary. unavailable if none answers; says what each did.
Result<PostgresServer> find_postgres(const Target& target, const std::optional<std::string>& region,
                                     const std::stop_token& stop);

// Whether `server` has `database`, closed or not; asked in another one.
Result<bool> has_database(const PostgresServer& server, const std::string& database, const std::stop_token& stop);

// What psql prints, unaligned, in a read-only transaction that no statement of outlasts `limit`. unavailable with the
// server's words.
Result<std::string> ask_postgres(const PostgresServer& server, const std::string& sql, Span limit,
                                 const std::stop_token& stop);

struct RedisServer {
    std::string region, host, port;
    std::string user;         // empty = the default user
    Environment environment;  // with the password, if there is one
    bool is_replica = false;

    Arguments command(const Arguments& words) const;  // redis-cli, and what it is asked
};

// As find_postgres: a replica whose link is up, else the master.
Result<RedisServer> find_redis(const Target& target, const std::optional<std::string>& region,
                               const std::stop_token& stop);

}  // namespace kedge::backup
