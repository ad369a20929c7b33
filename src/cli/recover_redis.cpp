// recover redis, keep.

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/progress.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "recover/from_snapshot.h"

namespace kedge {
namespace {

using recover::Recovery;
using recover::SnapshotChoice;

struct Redis {
    std::string name, place, key;
    std::optional<std::string> target, policy, snapshot, before, drop;
    bool dry_run = false;
};

struct KeepRedis {
    std::string name, region, key;
};

struct RedisWanted {
    Estate estate;
    const BackupPolicy* policy = nullptr;
    std::string state;
    recover::SnapshotWanted snapshot;
    Recovery recovery;
};

std::string asked_for(const Redis& options) {
    std::string text = options.snapshot ? "the snapshot " + *options.snapshot : "the newest sound snapshot";
    if (options.before) text += " of before " + *options.before;
    return text;
}

Result<void> fill_redis(Context& context, const Redis& options, RedisWanted& wanted) {
    wanted.snapshot.name = options.snapshot;
    if (options.before) wanted.snapshot.before = TRY(parse_moment(*options.before).within("--before"));
    wanted.estate = TRY(find_estate(context));
    wanted.state = TRY(find_state_directory(context));
    wanted.policy =
        TRY(recover::only_policy(wanted.estate, BackupKind::snapshot,
                                 TRY(only_target(wanted.estate, TargetKind::cache, options.target)), options.policy));
    wanted.recovery = TRY(recovery_asked_for(context, wanted.estate, *wanted.policy,
                                             {.name = options.name,
                                              .kind = "redis",
                                              .place = options.place,
                                              .key = options.key,
                                              .what = asked_for(options)}));
    return {};
}

Result<SnapshotChoice> choose_and_load(Context& context, RedisWanted& wanted, const Redis& options) {
    verify::Effort effort;
    Progress progress(context, effort);
    const recover::ChooseOptions how{.now = context.now(),
                                     .threads = std::max(1u, std::thread::hardware_concurrency()),
                                     .stop = progress.stop_token(),
                                     .on_step = [&](const std::string& step) { progress.begin(step, 0); }};
    const auto held = TRY(backup::hold_with_copies(wanted.state, wanted.estate, *wanted.policy, wanted.recovery.name));
    SnapshotChoice choice = TRY(recover::choose_snapshot(wanted.estate, *wanted.policy, wanted.snapshot, how));
    wanted.recovery.choice = recover::as_json(choice);
    if (options.dry_run || choice.path.empty()) {
        // A step of a run looks there for its answer; a person has it on the screen.
        if (!options.key.empty()) TRY(recover::write_recovery(wanted.state, wanted.recovery));
        return choice;
    }
    std::vector<std::string> drop;
    if (options.drop) drop.push_back(*options.drop);
    TRY(recover::restore_snapshot_beside(wanted.state, wanted.recovery, choice, wanted.estate, drop, how));
    return choice;
}

void print_snapshot(Console& console, const RedisWanted& wanted, const SnapshotChoice& choice) {
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
    line("keys", fmt::format("{}; {} of them have expired by now", choice.keys, choice.expired));
}

ExitCode redis(Context& context, const Redis& options) {
    RedisWanted wanted;
    const auto filled = fill_redis(context, options, wanted);
    return make_recovery(
        context, "nothing was restored", filled, wanted.state, wanted.recovery,
        [&] { return choose_and_load(context, wanted, options); },
        [&](const SnapshotChoice& chosen) {
            return tell_restored(
                context.console(), wanted.recovery, chosen, options.dry_run,
                [&](const SnapshotChoice& choice) { print_snapshot(context.console(), wanted, choice); });
        });
}

Result<Recovery> kept(const Context& context, const KeepRedis& options) {
    const std::string state = TRY(find_state_directory(context));
    const Estate estate = TRY(find_estate(context));
    TRY(recover::find_recovery(state, options.name));
    const LockFile lock = TRY(recover::lock_recovery(state, options.name));
    Recovery recovery = TRY(recover::find_recovery(state, options.name));
    TRY(recover::keep_present(recovery, estate, options.region, options.key, {}));
    TRY(recover::write_recovery(state, recovery));
    return recovery;
}

ExitCode keep(Context& context, const KeepRedis& options) {
    Console& console = context.console();
    const Result<Recovery> recovery = kept(context, options);
    if (!recovery) return console.fail("nothing was kept", recovery.error());
    const Json& facts = get(recovery->proof, "kept");
    if (console.json())
        console.print_item("KeptData", facts);
    else
        console.print_line(fmt::format("{} keys of {} are kept in {}", get_integer(facts, "keys").value_or(0),
                                       options.region, get_string(facts, "path").value_or("")));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> recover_redis_commands() {
    return {
        command("recover redis", "Restore a Redis snapshot beside production, cleaned of keys", redis)
            .option("snapshot", "NAME", &Redis::snapshot, "this snapshot of the policy, not the newest that is sound")
            .option("before", "TIME", &Redis::before, "taken before that: 2026-11-24T03:05:07Z")
            .option("drop", "PATTERN", &Redis::drop,
                    "keys that must not come back, beside those that the estate names: session:*")
            .option("target", "TARGET", &Redis::target, "the cache, if the estate has several", Completes::targets)
            .option("policy", "POLICY", &Redis::policy, "the snapshots, if several policies have some")
            .option("name", "NAME", &Redis::name, "what the recovery is called from then on")
            .option("place", "DIR", &Redis::place, "where it lies; /var/tmp/kedge-recover-UID", Completes::files)
            .option("key", "KEY", &Redis::key, "who asks, if it is the step of a run")
            .flag("dry-run", &Redis::dry_run, "only read the snapshots, and say which one would be restored")
            .details("Reads snapshots whole, newest first, and passes damaged and empty ones over. If the newest that "
                     "is sound holds less than half as many keys as the one before it, it may be of after the loss: "
                     "then none is taken until --snapshot or --before says which. The one that serves "
                     "is loaded into a server of its own that nobody reaches until dropped keys and those of erased "
                     "people are out of it; its keys are held against those counted in the file. Then it answers at "
                     "the estate's recovered-at, where a plan has the master copy it. Production is not touched.")
            .example("kedge recover redis --dry-run")
            .example("kedge recover redis --before 2026-11-24T03:05:07Z --drop 'session:*'")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted}),
        command("recover keep", "Copy aside what a Redis node holds, before it is replaced", keep)
            .argument("NAME", &KeepRedis::name, "the recovery")
            .option("region", "REGION", &KeepRedis::region, "of the node")
            .option("key", "KEY", &KeepRedis::key, "who asks, if it is the step of a run")
            .details("It stays until the recovery is discarded. kedge verify tells what is in it.")
            .example("kedge recover keep before-the-flush --region us-east-1")
            .exits({ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
    };
}

}  // namespace kedge
