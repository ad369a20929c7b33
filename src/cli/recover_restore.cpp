// recover restore.

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/progress.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "recover/from_dump.h"

namespace kedge {
namespace {

using recover::DumpChoice;
using recover::Recovery;

struct Restore {
    std::string name, place, key;
    std::optional<std::string> target, policy, dump;
    bool dry_run = false;
};

struct WantedRestore {
    Estate estate;
    const BackupPolicy* policy = nullptr;
    std::string state;
    Recovery recovery;
};

Result<void> fill(Context& context, const Restore& options, WantedRestore& wanted) {
    wanted.estate = TRY(find_estate(context));
    wanted.state = TRY(find_state_directory(context));
    wanted.policy =
        TRY(recover::dump_policy(wanted.estate, TRY(database_of(wanted.estate, options.target)), options.policy));
    wanted.recovery =
        TRY(recovery_asked_for(context, wanted.estate, *wanted.policy,
                               {.name = options.name,
                                .kind = "restore",
                                .place = options.place,
                                .key = options.key,
                                .what = options.dump ? "the dump " + *options.dump : "the newest sound dump"}));
    return {};
}

Result<DumpChoice> choose_and_restore(Context& context, WantedRestore& wanted, const Restore& options) {
    verify::Effort effort;
    Progress progress(context, effort);
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    const auto on_step = [&](const std::string& step) { progress.begin(step, 0); };
    const auto held = TRY(backup::hold_with_copies(wanted.state, wanted.estate, *wanted.policy, wanted.recovery.name));
    DumpChoice choice = TRY(recover::choose_dump(
        wanted.estate, *wanted.policy, {.name = options.dump},
        {.now = context.now(), .threads = threads, .stop = progress.stop_token(), .on_step = on_step}));
    wanted.recovery.choice = recover::as_json(choice);
    if (options.dry_run || choice.path.empty()) {
        // A step of a run looks there for its answer; a person has it on the screen.
        if (!options.key.empty()) TRY(recover::write_recovery(wanted.state, wanted.recovery));
        return choice;
    }
    TRY(recover::restore_beside(wanted.state, wanted.recovery, choice, wanted.estate,
                                {.threads = threads, .stop = progress.stop_token(), .on_step = on_step}));
    return choice;
}

void print_choice(Console& console, const WantedRestore& wanted, const DumpChoice& choice) {
    for (const recover::PassedOver& one : choice.passed_over)
        console.warn(fmt::format("{} was passed over: {}", printable(one.base), printable(one.why)));
    console.print_line(
        fmt::format("{} of {}: {}", printable(wanted.recovery.asked), wanted.recovery.target,
                    printable(choice.path.empty() ? "cannot be restored: " + choice.says : choice.path)));
    if (choice.path.empty()) return;
    const auto line = [&](const char* what, const std::string& says) {
        console.print_line(fmt::format("  {:<22}{}", what, says));
    };
    line("taken", choice.taken ? fmt::format("{}: what was written since is not in it", to_string(*choice.taken))
                               : "it does not say when");
    line("rows", std::to_string(get_integer(choice.examination.facts, "rows").value_or(0)));
    if (choice.globals.empty()) line("roles", "there is no file of them beside it: owners and privileges are left out");
}

ExitCode restore(Context& context, const Restore& options) {
    WantedRestore wanted;
    const auto filled = fill(context, options, wanted);
    return make_recovery(
        context, "nothing was restored", filled, wanted.state, wanted.recovery,
        [&] { return choose_and_restore(context, wanted, options); },
        [&](const DumpChoice& chosen) {
            return tell_restored(context.console(), wanted.recovery, chosen, options.dry_run,
                                 [&](const DumpChoice& choice) { print_choice(context.console(), wanted, choice); });
        });
}

}  // namespace

std::vector<Command> recover_restore_commands() {
    return {
        command("recover restore", "Restore a dump beside production, with its roles and statistics", restore)
            .option("dump", "NAME", &Restore::dump, "this dump of the policy, not the newest that is sound")
            .option("target", "TARGET", &Restore::target, "the database, if the estate has several", Completes::targets)
            .option("policy", "POLICY", &Restore::policy, "the dumps, if several policies have some")
            .option("name", "NAME", &Restore::name, "what the recovery is called from then on")
            .option("place", "DIR", &Restore::place, "where it lies; /var/tmp/kedge-recover-UID", Completes::files)
            .option("key", "KEY", &Restore::key, "who asks, if it is the step of a run")
            .flag("dry-run", &Restore::dry_run, "only read the dumps, and say which one would be restored")
            .details(
                "Reads the dump whole first and passes a damaged one over. It is loaded on all cores into a server "
                "of its own, without durability while it loads; stops at the first error; every table's rows are "
                "held against those that were counted in the dump. Erased people are taken out before anybody may "
                "use it. Production is not touched.")
            .example("kedge recover restore --dry-run")
            .example("kedge recover restore --name after-the-drop")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted}),
    };
}

}  // namespace kedge
