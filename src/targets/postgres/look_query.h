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

// One row and one column: "asked", "is no standby", "is run by NAME" or "manager unknown". The server asks itself to
// become primary only when it is a standby that nobody else manages.
Statement promote_statement();
// To be sent with it: stays until the server has left recovery, for at most `longest`, and wakes its startup process
// when that oversleeps the request. Does nothing unless the statement before it in this session answered "asked". An
// error of it means nothing.
Statement wake_statement(Span longest);

}  // namespace kedge
