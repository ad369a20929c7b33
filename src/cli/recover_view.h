// What the commands of `recover` share: what is asked of them, and how recovered databases are shown.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/console.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "estate/estate.h"
#include "recover/recovery.h"

namespace kedge {

// "recovered"; "interrupted" of one that is being made by nobody.
std::string stage_text(const recover::Recovery& recovery, bool is_worked_on);
Json recovery_json(const recover::Recovery& recovery, bool is_worked_on);
// One that stands: whether it may be used, what was proved, how it is reached.
void print_recovered(Console& console, const recover::Recovery& recovery);
// refused: gated. negative, unverifiable: it does not stand where it should, or nobody can tell.
ExitCode code_of(const recover::Recovery& recovery);

// The target of that kind that was named, or the only one of the estate.
Result<std::string> only_target(const Estate& estate, TargetKind kind, const std::optional<std::string>& named);
// The database that was named, or the only one of the estate.
Result<std::string> database_of(const Estate& estate, const std::optional<std::string>& named);

// What is asked for: where it would lie, and who asks. Nothing of it is made yet.
struct Asked {
    std::string name;   // empty: `kind` and the time
    std::string kind;   // "pitr"
    std::string place;  // empty: the usual one
    std::string key;    // of the step that asks; empty: a person
    std::string what;   // "before xid:4711"
};
// invalid_input for a name or a place that cannot be.
Result<recover::Recovery> recovery_asked_for(const Context& context, const Estate& estate, const BackupPolicy& policy,
                                             const Asked& asked);

// What was made already is not made again: conflict. What was interrupted or failed is made anew.
Result<void> may_be_made(const std::string& state, const recover::Recovery& wanted);

}  // namespace kedge
