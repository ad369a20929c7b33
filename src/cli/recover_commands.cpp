// recover pitr, list, show, erase, discard.

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/policy_view.h"
#include "cli/progress.h"
#include "cli/recover_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "recover/beside.h"
#include "recover/choose.h"
#include "recover/from_snapshot.h"
#include "recover/gate.h"
#include "recover/recovery.h"

namespace kedge {
namespace {

using recover::Choice;
using recover::Recovery;
using recover::Stage;

struct Pitr {
    std::string to, name, place, key;
    std::optional<std::string> target, policy;
    std::int64_t timeline = 0;
    bool exclusive = false, dry_run = false;
};

struct Named {
    std::string name;
};
struct Discard {
    std::string name, confirm;
};

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
    line("takes roughly", fmt::format("{}: {} to copy, {} of log to replay", readable(choice.recovery.takes),
                                      size_text(choice.recovery.copy_bytes), size_text(choice.recovery.replay_bytes)));
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
    wanted.recovery = TRY(recovery_asked_for(context, wanted.estate, *wanted.policy,
                                             {.name = options.name,
                                              .kind = "pitr",
                                              .place = options.place,
                                              .key = options.key,
                                              .what = to_string(wanted.target)}));
    return {};
}

Result<Choice> choose_and_make(Context& context, Wanted& wanted, backup::Material& material, bool dry_run) {
    verify::Effort effort;
    Progress progress(context, effort);
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    const auto on_step = [&](const std::string& step) { progress.begin(step, 0); };
    // Whoever prunes waits until the copy is made.
    const backup::BackupHold backups =
        TRY(backup::hold_backups(wanted.state, wanted.policy->name, wanted.recovery.name));
    const backup::BackupHold log = TRY(backup::hold_backups(wanted.state, wanted.policy->log, wanted.recovery.name));
    Choice choice = TRY(
        recover::choose(wanted.estate, *wanted.policy, wanted.target, material,
                        {.now = context.now(), .threads = threads, .stop = progress.stop_token(), .on_step = on_step}));
    wanted.recovery.choice = recover::as_json(choice);
    if (dry_run || !choice.recovery.possible) {
        // A step of a run looks there for its answer; a person has it on the screen.
        if (!wanted.recovery.key.empty()) TRY(recover::write_recovery(wanted.state, wanted.recovery));
        return choice;
    }
    bool replays = false;
    TRY(recover::recover_beside(wanted.state, wanted.recovery, choice, wanted.estate,
                                {.threads = threads,
                                 .stop = progress.stop_token(),
                                 .on_step = on_step,
                                 .on_replay = [&](std::uint64_t done, std::uint64_t all) {
                                     if (!replays) {
                                         effort.bytes_read = 0;
                                         progress.begin("replaying the log", all);
                                         replays = true;
                                     }
                                     effort.bytes_read = done;
                                 }}));
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

ExitCode pitr(Context& context, const Pitr& options) {
    Console& console = context.console();
    if (options.to.empty()) return console.fail_usage({Fault::invalid_input, "--to is missing"});
    Wanted wanted;
    const auto filled = fill(context, options, wanted);
    backup::Material material;
    return make_recovery(
        context, "nothing was recovered", filled, wanted.state, wanted.recovery,
        [&] { return choose_and_make(context, wanted, material, options.dry_run); },
        [&](const Choice& choice) { return tell_pitr(console, wanted.recovery, choice, options.dry_run); });
}

ExitCode list_recoveries(Context& context, const Named&) {
    Console& console = context.console();
    constexpr const char* failed = "the recoveries cannot be listed";
    const auto state = find_state_directory(context);
    if (!state) return console.fail(failed, state.error());
    const auto all = recover::recoveries(*state);
    if (!all) return console.fail(failed, all.error());
    Json items = Json::array();
    Table table({{"NAME"}, {"OF"}, {"TO"}, {"STAGE"}, {"SINCE"}, {"SAYS"}});
    for (const Recovery& recovery : *all) {
        const auto locked = recover::is_recovery_locked(*state, recovery.name);
        const bool worked_on = locked && *locked;
        items.push_back(recovery_json(recovery, worked_on));
        table.add({recovery.name, recovery.target, recovery.asked, stage_text(recovery, worked_on),
                   readable(context.now() - recovery.begun), recovery.says});
    }
    if (console.json())
        console.print_items("Recovery", std::move(items));
    else if (all->empty())
        console.note("there are no recoveries");
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

ExitCode show_recovery(Context& context, const Named& options) {
    Console& console = context.console();
    const std::string failed = fmt::format("{} cannot be shown", options.name);
    const auto state = find_state_directory(context);
    if (!state) return console.fail(failed, state.error());
    const auto recovery = recover::find_recovery(*state, options.name);
    if (!recovery) return console.fail(failed, recovery.error());
    const auto locked = recover::is_recovery_locked(*state, options.name);
    const bool worked_on = locked && *locked;
    Json json = recovery_json(*recovery, worked_on);
    const bool stands = recovery->stage == Stage::recovered || recovery->stage == Stage::gated;
    const recover::ServerLook server = stands ? recover::look_at_server(*recovery, {}) : recover::ServerLook{};
    json["answers"] = to_string(server.answers);
    if (console.json()) {
        console.print_item("Recovery", std::move(json));
    } else if (stands) {
        print_recovered(console, *recovery);
        if (server.answers != Truth::yes) console.warn(printable(server.says));
    } else {
        console.print_line(
            fmt::format("{} is {}: {}", recovery->name, stage_text(*recovery, worked_on), printable(recovery->says)));
    }
    if (recovery->stage == Stage::prepared || recovery->stage == Stage::promoted) return ExitCode::ok;
    return !stands || server.answers != Truth::yes ? ExitCode::negative : code_of(*recovery);
}

ExitCode erase_again(Context& context, const Named& options) {
    Console& console = context.console();
    const std::string failed = fmt::format("{} stays as it is", options.name);
    const auto state = find_state_directory(context);
    if (!state) return console.fail(failed, state.error());
    const auto estate = find_estate(context);
    if (!estate) return console.fail(failed, estate.error());
    const auto lock = recover::lock_recovery(*state, options.name);
    if (!lock) return console.fail(failed, lock.error());
    auto recovery = recover::find_recovery(*state, options.name);
    if (!recovery) return console.fail(failed, recovery.error());
    if (recovery->stage != Stage::gated && recovery->stage != Stage::recovered)
        return console.fail(failed, recover::check_usable(*recovery).error());
    recover::pass_gate(*recovery, *estate, {});
    if (recovery->is_cache() && recovery->stage == Stage::recovered && recovery->address.empty())
        if (const auto open = recover::publish(*recovery, *estate, {}); !open)
            return console.fail(failed, open.error());
    if (const auto kept = recover::write_recovery(*state, *recovery); !kept) return console.fail(failed, kept.error());
    if (console.json())
        console.print_item("Recovery", recovery_json(*recovery, true));
    else
        print_recovered(console, *recovery);
    return code_of(*recovery);
}

ExitCode discard_recovery(Context& context, const Discard& options) {
    Console& console = context.console();
    const std::string failed = fmt::format("{} was not discarded", options.name);
    const auto state = find_state_directory(context);
    if (!state) return console.fail(failed, state.error());
    const auto recovery = recover::find_recovery(*state, options.name);
    if (!recovery) return console.fail(failed, recovery.error());
    auto lock = recover::lock_recovery(*state, options.name);
    if (!lock) return console.fail(failed, lock.error());
    if (const auto yes =
            context.confirm(options.confirm, options.name,
                            fmt::format("Type its name, {}, to remove it and all that is in it:", options.name));
        !yes)
        return console.fail(failed, yes.error());
    if (const auto gone = recover::discard(*state, *recovery, {}); !gone) return console.fail(failed, gone.error());
    lock->remove();
    if (console.json())
        console.print_item("DiscardedRecovery", {{"name", options.name}});
    else
        console.print_line(options.name + " is gone");
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> recover_commands() {
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
        command("recover list", "List the recovered databases that stand beside production", list_recoveries)
            .example("kedge recover list"),
        command("recover show", "Show what a recovery was made from, and whether it stands at its point", show_recovery)
            .argument("NAME", &Named::name, "the recovery")
            .example("kedge recover show before-the-import --json")
            .exits({ExitCode::not_found, ExitCode::negative, ExitCode::unverifiable}),
        command("recover erase", "Take erased people out of a recovered database, as its gate asks", erase_again)
            .argument("NAME", &Named::name, "the recovery")
            .details(
                "Done after every recovery by itself; again when the ledger has grown, or when the gate stayed shut.")
            .example("kedge recover erase before-the-import")
            .exits({ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
        command("recover discard", "Stop a recovered database and remove it, or what it replaced", discard_recovery)
            .argument("NAME", &Discard::name, "the recovery")
            .option("confirm", "NAME", &Discard::confirm, "its name again, where nobody can be asked")
            .details(
                "Of one that was promoted it removes what was production before: the only copy of what was written "
                "since the point.")
            .example("kedge recover discard before-the-import")
            .exits({ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
    };
}

}  // namespace kedge
