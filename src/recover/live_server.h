// The live side of a recovery, found by the target of the estate.
#pragma once

#include <stop_token>
#include <string>

#include "backup/servers.h"
#include "recover/recovery.h"

namespace kedge::recover {

// The copy that takes writes, in the database that the target names. unavailable if none answers, refused if several
// do: nobody can say which of them is the one.
Result<backup::PostgresServer> find_live_primary(const Target& target, const std::stop_token& stop);

// The name of the database whose place a recovered copy would take.
std::string live_database(const Target& target, const Recovery& recovery);

// Whether each copy of it that the estate names says that it reads values that lz4 packed: one that was built without
// it cannot (--with-lz4, from PostgreSQL 14). No copy that is silent does.
bool all_read_lz4(const Target& target, const std::stop_token& stop);

}  // namespace kedge::recover
