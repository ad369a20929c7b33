// A database copied into an empty one of another server while both run: rows go from table to table, several tables at
// once and past the disk; pg_dump and pg_restore bring what else there is (dump_restore.h). All of it is of one moment.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "backup/servers.h"
#include "base/result.h"
#include "recover/load_rows.h"

namespace kedge::recover {

// The longest a command may be is 2 MiB, its environment included, unless the stack is limited further (execve(2)).
inline constexpr std::size_t usual_names_bytes_max = 512 << 10;

struct CopyDatabaseOptions {
    std::string place{};     // a directory of ours that is empty; takes what goes by pg_dump
    std::string settings{};  // of the sessions of `into`: "-c maintenance_work_mem=1GB"
    std::size_t threads = 1;
    std::uint64_t worth_building = usually_worth_building;
    // Of the names that pg_dump is told to leave the rows of. Smaller tables that find no room go by it.
    std::size_t names_bytes_max = usual_names_bytes_max;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

struct CopiedDatabase {
    // Of each table whose rows went from table to table ("public.users"): how many there were.
    std::map<std::string, std::uint64_t> rows;
    std::size_t binary = 0;        // of these tables, those whose values went as they are and not as texts
    std::size_t built_beside = 0;  // indexes and keys, while rows of other tables were loaded
};

// As a superuser of both, by programs of `into`. Owners and rights come along, tablespaces do not. Stops at the first
// error, with the table if it is about one; what was written to `into` until then stays.
Result<CopiedDatabase> copy_database(const backup::PostgresServer& from, const backup::PostgresServer& into,
                                     const CopyDatabaseOptions& options);

}  // namespace kedge::recover
