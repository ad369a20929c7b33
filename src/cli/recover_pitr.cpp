// recover pitr.

#include "cli/recover_pitr.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/policy_view.h"
#include "cli/progress.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "recover/beside.h"
#include "recover/choose.h"

namespace kedge {
namespace {

using recover::Choice;
using recover::Recovery;

void print_choice(Console& console, const Recovery& recovery, const Choice& choice) {
    for (const recover::PassedOver& one : choice.passed_over)
        console.warn(fmt::format("{} was passed over: {}", printable(one.base), printable(one.why)));
    if (choice.log_is_damaged)
        console.warn(
            "the log archive is damaged somewhere: see kedge verify; what is on the way was read and is sound");
    if (!choice.recovery.possible) return;
    const auto line = [&](const char* what, const std::string& says) {
        console.print_line(fmt::format("  {:<22}{}", what, says));
    };
    console.print_line(fmt::format("{} of {}", printable(recovery.asked), recovery.target));
    line("base backup",
         fmt::format("{}{}", printable(choice.base), choice.taken ? ", taken " + to_string(*choice.taken) : ""));
    line("timeline", std::to_string(choice.target.timeline.value_or(0)));
    if (choice.recovery.last) line("last transaction in", to_string(choice.recovery.last->time));
    line("first one left out",
         choice.recovery.first_out ? to_string(choice.recovery.first_out->time) : "none: all of the log");
    line("takes roughly", fmt::format("{}: {} to copy, {} of log to replay, {}", readable(choice.recovery.takes),
                                      size_text(choice.recovery.copy_bytes), size_text(choice.recovery.replay_bytes),
                                      recover::origin(choice.recovery.rates.are_measured)));
}

// What cannot be had is an answer, not an error: said with the nearest that can.
ExitCode tell_impossible(Console& console, const Recovery& recovery, const Choice& choice) {
    if (console.json()) {
        console.print_item("Recovery", {{"asked", recovery.asked}, {"choice", recover::as_json(choice)}});
        return ExitCode::negative;
    }
    print_choice(console, recovery, choice);
    console.print_line(
        fmt::format("{} cannot be recovered: {}", printable(recovery.asked), printable(choice.recovery.says)));
    if (choice.recovery.before) console.print_line("nearest before: " + to_string(*choice.recovery.before));
    if (choice.recovery.after) console.print_line("nearest after:  " + to_string(*choice.recovery.after));
    return ExitCode::negative;
}

struct Wanted {
    Estate estate;
    const BackupPolicy* policy = nullptr;
    std::string state;
    verify::RecoveryTarget target;
    Recovery recovery;
};

Result<verify::RecoveryTarget> target_of(const Pitr& options) {
    verify::RecoveryTarget target = TRY(verify::parse_recovery_target(options.to).within("--to"));
    target.inclusive = !options.exclusive;
    if (options.timeline > 0) target.timeline = static_cast<std::uint32_t>(options.timeline);
    return target;
}

Result<void> fill(Context& context, const Pitr& options, Wanted& wanted) {
    wanted.target = TRY(target_of(options));
    wanted.estate = TRY(find_estate(context));
    wanted.state = TRY(find_state_directory(context));
    wanted.policy =
        TRY(recover::recovery_policy(wanted.estate, TRY(database_of(wanted.estate, options.target)), options.policy));
    wanted.recovery =
        TRY(recovery_asked_for(context, wanted.estate, *wanted.policy,
                               {.name = options.name,
                                .kind = "pitr",
                                .place = options.place,
                                .key = options.key,
                                .what = options.asked.empty() ? to_string(wanted.target) : options.asked}));
    return {};
}

Result<Choice> choose_and_make(Context& context, Wanted& wanted, backup::Material& material, const Pitr& options) {
    verify::Effort effort;
    Progress progress(context, effort);
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    const auto on_step = [&](const std::string& step) { progress.begin(step, 0); };
    // Whoever prunes waits until the copy is made.
    const auto hold = [&](const BackupPolicy& policy) {
        return backup::hold_with_copies(wanted.state, wanted.estate, policy, wanted.recovery.name);
    };
    const auto backups = TRY(hold(*wanted.policy));
    const auto log = TRY(hold(*wanted.estate.backup(wanted.policy->log)));
    Choice choice = TRY(recover::choose(wanted.estate, *wanted.policy, wanted.target, material,
                                        {.now = context.now(),
                                         .threads = threads,
                                         .stop = progress.stop_token(),
                                         .on_step = on_step,
                                         .pace = recover::pace_here(wanted.state),
                                         .tail = options.tail}));
    wanted.recovery.choice = recover::as_json(choice);
    if (options.dry_run || !choice.recovery.possible) {
        // A step of a run looks there for its answer; a person has it on the screen.
        if (!wanted.recovery.key.empty()) TRY(recover::write_recovery(wanted.state, wanted.recovery));
        return choice;
    }
    TRY(recover::recover_beside(wanted.state, wanted.recovery, choice, wanted.estate, making(progress, effort)));
    return choice;
}

ExitCode tell_pitr(Console& console, const Recovery& recovery, const Choice& choice, bool dry_run) {
    if (!choice.recovery.possible) return tell_impossible(console, recovery, choice);
    if (dry_run) {
        if (console.json())
            console.print_item("Recovery", {{"asked", recovery.asked}, {"choice", recover::as_json(choice)}});
        else
            print_choice(console, recovery, choice);
        return ExitCode::ok;
    }
    if (console.json()) {
        console.print_item("Recovery", recovery_json(recovery, false));
    } else {
        print_choice(console, recovery, choice);
        print_recovered(console, recovery);
    }
    return code_of(recovery);
}

}  // namespace

recover::MakeOptions making(Progress& progress, verify::Effort& effort) {
    return {.threads = std::max(1u, std::thread::hardware_concurrency()),
            .stop = progress.stop_token(),
            .on_step = [&](const std::string& step) { progress.begin(step, 0); },
            .on_replay =
                [&, replays = false](std::uint64_t done, std::uint64_t all) mutable {
                    if (!std::exchange(replays, true)) progress.begin("replaying the log", all);
                    effort.bytes_read = done;
                }};
}

ExitCode pitr(Context& context, const Pitr& options) {
    Console& console = context.console();
    if (options.to.empty()) return console.fail_usage({Fault::invalid_input, "--to is missing"});
    Wanted wanted;
    const auto filled = fill(context, options, wanted);
    backup::Material material;
    return make_recovery(
        context, "nothing was recovered", filled, wanted.state, wanted.recovery,
        [&] { return choose_and_make(context, wanted, material, options); },
        [&](const Choice& choice) { return tell_pitr(console, wanted.recovery, choice, options.dry_run); });
}

std::vector<Command> recover_pitr_commands() {
    return {
        command("recover pitr", "Recover a database to a point in time, beside production", pitr)
            .option("to", "POINT", &Pitr::to,
                    "2026-11-24T03:05:07Z (with its zone), a position 0/5A10F08, xid:4711, name:RESTORE-POINT, "
                    "consistent or latest")
            .flag("exclusive", &Pitr::exclusive, "without what lies exactly there: to undo a transaction, name it so")
            .option("timeline", "N", &Pitr::timeline, "along this timeline, not the newest that has the point")
            .option("target", "TARGET", &Pitr::target, "the database, if the estate has several", Completes::targets)
            .option("policy", "POLICY", &Pitr::policy, "the base backups, if several policies have some")
            .option("name", "NAME", &Pitr::name, "what the recovery is called from then on")
            .option("place", "DIR", &Pitr::place, "where it lies; /var/tmp/kedge-recover-UID", Completes::files)
            .option("key", "KEY", &Pitr::key, "who asks, if it is the step of a run")
            .flag("dry-run", &Pitr::dry_run, "only say what it would be made from, and how long it would take")
            .details("Reads all of the log and the base backup first, and refuses what they cannot give, with the "
                     "nearest that they can. The recovered server answers on a socket in its directory only; it "
                     "archives nothing and reaches nobody. Production is not touched.")
            .example("kedge recover pitr --to 2026-11-24T03:05:07Z --dry-run")
            .example("kedge recover pitr --to xid:4711 --exclusive --name before-the-import")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted}),
    };
}

}  // namespace kedge
