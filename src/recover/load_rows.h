// Loads rows, of a dump or of another database, into the tables that wait for them, several tables at once, without
// those that must stay behind.
//
// A table is emptied and filled in one transaction and its rows are frozen, so that a server without archiving writes
// no log of them. A table that rules of others ask about is read once before, so that none waits until another is
// loaded; the heaviest goes first. Memory: one buffer for each table that is being loaded, as long as its longest row,
// and the fields by which rows refer to others that were left out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "os/wait.h"
#include "recover/filter_plan.h"
#include "targets/postgres/connection.h"
#include "verify/dump/row_texts.h"

namespace kedge::recover {

// By "public.users".
struct LoadedRows {
    std::map<std::string, std::uint64_t> read;     // rows that there were
    std::map<std::string, std::uint64_t> taken;    // rows that the server said it took
    std::map<std::string, std::uint64_t> dropped;  // rows that stayed behind; only tables with some
    std::map<std::string, std::uint64_t> changed;  // rows that went on changed; only tables with some
    std::set<std::int64_t> built;                  // keys
};

// Of a table's rows as packed: to build what stands on fewer is as quick as to start the program that does it.
inline constexpr std::uint64_t usually_worth_building = 8 << 20;

struct LoadRowsOptions {
    std::size_t threads = 1;
    Until until;
    std::string settings{};  // of the sessions that load, as CopyLink::open takes them
    // Builds one of the keys of a table (verify::TableText) whose rows are in. Called by whoever has nothing to load
    // while others still do, for tables that are worth it. Empty: nobody builds.
    std::function<Result<void>(std::int64_t key, const std::stop_token& stop)> build{};
    std::uint64_t worth_building = usually_worth_building;
    // After each table: how many bytes of the texts are done, of how many.
    std::function<void(std::uint64_t done, std::uint64_t of)> on_progress{};
};

// `access` leads to the database as a superuser. What does not add up is corrupt: the server took other rows than
// went on. refused if the server or a rule says no. The first error ends it; what was loaded until then stays.
Result<LoadedRows> load_rows(const ServerAccess& access, const verify::RowTexts& texts, FilterPlan& plan,
                             const LoadRowsOptions& options);

}  // namespace kedge::recover
