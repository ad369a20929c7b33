// Takes erased people out of a database that was brought back, and proves that they are gone.
//
// One transaction: either all of them are out and the proof holds, or nothing was changed. Rows are found again by what
// does not change while others go, their primary key: triggers and foreign keys of the database may move them. Its
// materialized views are made anew from what is left; one that the map calls not personal is left as it is.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "base/json.h"
#include "base/result.h"
#include "erasure/ledger.h"
#include "estate/erasure_map.h"

namespace kedge::recover {

// A table that the map has to name before anything may be restored, and why.
struct MissedTable {
    std::string name, why;
};

struct Erased {
    std::string ledger_head;  // the digest of the ledger's last entry
    std::string map{};        // digest_of the map that was gone by; empty: a cache's
    std::uint64_t subjects = 0, held = 0;
    std::map<std::string, std::uint64_t> rows;  // by table: removed or anonymised
};
// Without a person's id in it: counts and digests.
Json as_json(const Erased& erased);

// Of all that it says: SHA-256, in hexadecimal.
std::string digest_of(const ErasureMap& map);

// What the catalogue of `server` has and the map does not: tables with a personal column, tables that refer to one of
// the map's, and tables and columns of the map that are not there. Empty: the map is complete.
Result<std::vector<MissedTable>> missed_tables(const backup::PostgresServer& server, const ErasureMap& map,
                                               const std::stop_token& stop);

// refused if the map misses a table: the first is named.
Result<void> check_map(const backup::PostgresServer& server, const ErasureMap& map, const std::stop_token& stop);

// refused: the map misses a table (it is named), a finding of the ledger is open, a foreign key would break.
// unavailable: the server fell silent; nothing was changed unless the loss came with the commit, and then doing it
// again is right.
Result<Erased> erase_people(const backup::PostgresServer& server, const ErasureMap& map, const ErasureLedger& ledger,
                            const std::stop_token& stop);

}  // namespace kedge::recover
