// The gate behind every recovery: erased people are taken out before anybody may use what was brought back.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "estate/estate.h"
#include "recover/recovery.h"

namespace kedge::recover {

// Sets `recovery.stage` to recovered, or to gated with `says` saying why it stays shut: the ledger cannot be read or
// has an open finding, the map misses a table, the rows could not be taken out. What was done stands in
// `proof.erasure`; an estate without an erasure map opens the gate, and `proof.erasure` then says that nobody was taken
// out.
void pass_gate(Recovery& recovery, const Estate& estate, const std::stop_token& stop);

// Takes erased people out of `database`, which is of the same people as the recovery and not its own: one that was
// loaded elsewhere, or one that serves again. The evidence; without an erasure map of its target that nobody was taken
// out.
Result<Json> take_out_erased(const backup::PostgresServer& database, const Recovery& recovery, const Estate& estate,
                             const std::stop_token& stop);

// Adds such evidence to that of the recovery: what was taken out before counts, too.
void note_erased(Recovery& recovery, Json evidence);

// The digest of the ledger's last entry; nothing without an erasure map of the recovery's target.
Result<std::optional<std::string>> ledger_head(const Recovery& recovery, const Estate& estate);

// Whether the ledger has gone on, or the erasure map has changed, since a recovery passed its gate; no without an
// erasure map of its target.
Result<bool> is_gate_outdated(const Recovery& recovery, const Estate& estate);

// The end of every making: the recovery is written down as it stands; if it was not `made`, as failed, with what is
// left of it removed and `says` telling why. Returns `made`.
Result<void> conclude(const std::string& state_directory, Recovery& recovery, Result<void> made);

// The gate, if it was `made`; then `conclude`.
Result<void> finish(const std::string& state_directory, Recovery& recovery, Result<void> made, const Estate& estate,
                    const std::stop_token& stop);

// refused unless the recovery stands and its gate was passed: what every use of it asks first.
Result<void> check_usable(const Recovery& recovery);
// refused unless it is also proved to be where it was asked to be: what may take production's place.
Result<void> check_proved(const Recovery& recovery);

}  // namespace kedge::recover
