// What one look at a PostgreSQL server asks (versions 13 to 17), and what the answers mean.
#pragma once

#include <string>
#include <vector>

#include "targets/database.h"
#include "targets/postgres/connection.h"

namespace kedge {

// Sent at once. The first transaction reads the heartbeat and may fail alone, when there is none yet.
std::vector<Transaction> look_transactions(const std::string& probe_schema);

// The look that these answers amount to. Fields whose answer is missing stay unknown.
DatabaseLook read_look(const Exchange& exchange);

// From the columns sequence, microseconds since 1970, position; nothing if they are none.
std::optional<Heartbeat> read_heartbeat(const Row& row);

// A statement with one row and one column: "asked", "is no standby", "is run by NAME" or "manager unknown".
// The server asks itself to become primary only when it is a standby that nobody else manages.
Statement promote_statement();

}  // namespace kedge
