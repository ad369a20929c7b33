// The live side of a recovery, found by the target of the estate.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "backup/servers.h"

namespace kedge::recover {

// The copy that is read to be compared with: as backup::find_postgres, in the database that the target names.
Result<backup::PostgresServer> find_live_copy(const Target& target, const std::optional<std::string>& region,
                                              const std::stop_token& stop);

// The copy that takes writes, in the database that the target names. unavailable if none answers, refused if several
// do: nobody can say which of them is the one.
Result<backup::PostgresServer> find_live_primary(const Target& target, const std::stop_token& stop);

// `connection`, a libpq connection string of either form, to another database.
std::string to_database(const std::string& connection, const std::string& database);

}  // namespace kedge::recover
