// Recovered databases as the commands of `recover` show them.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "recover/recovery.h"

namespace kedge {

// "recovered"; "interrupted" of one that is being made by nobody.
std::string stage_text(const recover::Recovery& recovery, bool is_worked_on);
Json recovery_json(const recover::Recovery& recovery, bool is_worked_on);
// One that stands: whether it may be used, what was proved, how it is reached.
void print_recovered(Console& console, const recover::Recovery& recovery);
// refused: gated. negative, unverifiable: it does not stand where it should, or nobody can tell.
ExitCode code_of(const recover::Recovery& recovery);

// What was made already is not made again: conflict. What was interrupted or failed is made anew.
Result<void> may_be_made(const std::string& state, const recover::Recovery& wanted);

}  // namespace kedge
