// Fills a new server with a dump, section by section (dump_restore.h), without the rows of erased people.
//
// Excluded people's rows never reach the server. The gate behind every recovery (gate.h) goes over it all the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "estate/estate.h"
#include "recover/load_rows.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/restore.h"

namespace kedge::recover {

struct DumpToLoad {
    std::string path;
    verify::DumpForm form{};
    std::string database;     // that it makes
    bool has_owners = false;  // the roles are there that it names
};

// Whose rows stay behind.
struct Excluded {
    const ErasureMap* map = nullptr;  // null: nobody's, and `says` why
    std::string says;
    std::set<std::string> subjects;
    std::string ledger_head;
};
// Of a restore of `target`: everyone that the ledger excludes. Nobody if the estate has no map of it, or if nobody
// knows who is excluded (the gate then stays shut).
Excluded excluded_from(const Estate& estate, const std::string& target);

struct LoadDumpOptions {
    std::size_t threads = 1;
    std::uint64_t worth_building = usually_worth_building;
    std::stop_token stop{};
    std::function<Result<void>(const std::string& step)> on_step{};
};

// By table, "public.users". Names nobody.
struct Filtered {
    std::string says;                              // why nothing was filtered; empty: it was
    std::map<std::string, std::uint64_t> rows;     // that stayed behind
    std::map<std::string, std::uint64_t> changed;  // that went on with other values, as the map says
    std::size_t built_beside = 0;                  // indexes and keys, while rows of other tables were loaded
};

// `server` is new: it has no database of the dump's name. Stops at the first error: corrupt what pg_restore or the
// server does not take, refused if the erasure map does not fit the dump.
Result<Filtered> load_dump(const verify::OwnPostgres& server, const DumpToLoad& dump, const Excluded& excluded,
                           const LoadDumpOptions& options);

}  // namespace kedge::recover
