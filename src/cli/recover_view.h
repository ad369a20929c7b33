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

// What every making of a recovery does around its own work. `filled` is how what was asked for could be read; `make`
// chooses and makes, under the recovery's lock, until somebody interrupts; `tell` shows what it returned.
template <class Make, class Tell>
ExitCode make_recovery(Context& context, const char* failed, const Result<void>& filled, const std::string& state,
                       const recover::Recovery& recovery, Make make, Tell tell) {
    Console& console = context.console();
    if (!filled)
        return filled.error().fault == Fault::invalid_input ? console.fail_usage(filled.error())
                                                            : console.fail(failed, filled.error());
    auto lock = recover::lock_recovery(state, recovery.name);
    if (!lock) return console.fail(failed, lock.error());
    const auto made = [&] {
        if (const auto may = may_be_made(state, recovery); !may) return console.fail(failed, may.error());
        context.around().catch_interrupt();
        const auto choice = make();
        if (context.around().interrupted()) {
            console.note("interrupted: the same command makes it anew");
            return ExitCode::interrupted;
        }
        return choice ? tell(*choice) : console.fail(failed, choice.error());
    };
    const ExitCode code = made();
    // Nothing may have come of it, as of a dry run.
    if (const auto found = recover::find_recovery(state, recovery.name);
        !found && found.error().fault == Fault::not_found)
        lock->remove();
    return code;
}

// Of a backup that is restored as it is: what was chosen, as `print` says it, and what was made of it unless that was
// only tried.
template <class Chosen, class Print>
ExitCode tell_restored(Console& console, const recover::Recovery& recovery, const Chosen& choice, bool dry_run,
                       Print print) {
    const bool made = !dry_run && !choice.path.empty();
    if (console.json())
        console.print_item("Recovery", recovery_json(recovery, false));
    else
        print(choice);
    if (made && !console.json()) print_recovered(console, recovery);
    if (choice.path.empty()) return ExitCode::negative;
    return made ? code_of(recovery) : ExitCode::ok;
}

}  // namespace kedge
