// What one look at a PostgreSQL server asks (versions 13 to 17), and what the answers mean.
#pragma once

#include <string>
#include <vector>

#include "targets/database.h"
#include "targets/postgres/connection.h"

namespace kedge {

// The row that the look's last transaction is asked for: what the server is and does, and who streams from it.
Transaction state_transaction(const std::string& probe_schema);
// The newest heartbeat; fails when its table is not there. Sent before the state, so that the position replayed is
// never older than the heartbeat that is seen.
Transaction heartbeat_transaction(const std::string& probe_schema);

// The look that the answer to `state_transaction` amounts to; a field whose answer is missing stays unknown.
DatabaseLook read_state(const TransactionAnswer& state, const std::optional<LostContact>& lost);
// Whether the table of the heartbeats is there; nothing if that was not seen.
std::optional<bool> has_heartbeats(const TransactionAnswer& state);

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
