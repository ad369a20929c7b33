// backup list, create, verify, prune: what the estate's policies ask of its backups.

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

#include "backup/create.h"
#include "backup/judge.h"
#include "backup/prune.h"
#include "backup/shelf.h"
#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/policy_view.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "os/files.h"

namespace kedge {
namespace {

struct OfPolicies {
    std::vector<std::string> policies;
    bool everything = false;
};
struct CreateBackup {
    std::string policy;
    std::optional<std::string> region;
};
struct VerifyPolicies {
    std::vector<std::string> policies;
    bool again = false, recovery = false;
    std::optional<std::string> key;
    std::string place;
};
struct PruneBackups {
    std::string policy, confirm;
    bool dry_run = false;
};

// What every command here works on.
struct Ground {
    Estate estate;
    std::string state;
};

Result<Ground> ground_of(const Context& context) {
    Ground ground{TRY(find_estate(context)), TRY(find_state_directory(context))};
    if (ground.estate.backups.empty())
        return Error{Fault::not_found, "the estate has no backup policies", "add `backups:` to it"};
    return ground;
}

Result<const BackupPolicy*> policy_named(const Estate& estate, const std::string& name) {
    if (const BackupPolicy* policy = estate.backup(name)) return policy;
    std::string known;
    for (const BackupPolicy& policy : estate.backups) known += (known.empty() ? "" : ", ") + policy.name;
    return Error{Fault::not_found, fmt::format("there is no backup policy `{}`", name), "there are " + known};
}

// Those that were named, or all.
Result<std::vector<const BackupPolicy*>> policies_of(const Estate& estate, const std::vector<std::string>& names) {
    std::vector<const BackupPolicy*> policies;
    for (const std::string& name : names) policies.push_back(TRY(policy_named(estate, name)));
    if (names.empty())
        for (const BackupPolicy& policy : estate.backups) policies.push_back(&policy);
    return policies;
}

// The gravest of several decides.
ExitCode with(ExitCode before, Truth holds) {
    if (before == ExitCode::negative || holds == Truth::no) return ExitCode::negative;
    return before == ExitCode::unverifiable || holds == Truth::unknown ? ExitCode::unverifiable : before;
}

ExitCode list_backups(Context& context, const OfPolicies& options) {
    Console& console = context.console();
    constexpr const char* failed = "the backups cannot be listed";
    const Result<Ground> ground = ground_of(context);
    if (!ground) return console.fail(failed, ground.error());
    const auto policies = policies_of(ground->estate, options.policies);
    if (!policies) return console.fail(failed, policies.error());
    ExitCode code = ExitCode::ok;
    Json items = Json::array();
    for (const BackupPolicy* policy : *policies) {
        const auto verdicts = backup::read_verdicts(ground->state, policy->name);
        if (!verdicts) return console.fail(failed, verdicts.error());
        const Inventory inventory{*policy, backup::look_at_shelf(ground->estate, *policy, context.now()), *verdicts,
                                  context.now()};
        code = with(code, in_time(inventory));
        if (console.json())
            items.push_back(as_json(inventory));
        else
            console.print(rendered(inventory, options.everything, console.out()));
    }
    if (console.json()) console.print_items("BackupInventory", std::move(items));
    return code;
}

ExitCode create_backup(Context& context, const CreateBackup& options) {
    Console& console = context.console();
    constexpr const char* failed = "no backup was taken";
    const Result<Ground> ground = ground_of(context);
    if (!ground) return console.fail(failed, ground.error());
    const auto policy = policy_named(ground->estate, options.policy);
    if (!policy) return console.fail(failed, policy.error());
    const auto lock = backup::lock_policy(ground->state, options.policy);
    if (!lock) return console.fail(failed, lock.error());
    context.around().catch_interrupt();
    verify::Effort effort;
    Result<std::vector<backup::CreatedBackup>> made = [&] {
        Progress progress(context, effort);
        return backup::create_backup(ground->estate, **policy,
                                     {.region = options.region,
                                      .threads = std::max(1u, std::thread::hardware_concurrency()),
                                      .now = context.now(),
                                      .stop = progress.stop_token(),
                                      .on_step = [&](const std::string& step) { progress.begin(step, 0); }});
    }();
    if (context.around().interrupted()) return ExitCode::interrupted;
    if (!made) return console.fail(failed, made.error());
    if (made->empty()) console.note("nothing to copy: all of it is there");
    Json items = Json::array();
    for (const backup::CreatedBackup& one : *made) {
        items.push_back(
            {{"name", one.name}, {"path", one.path}, {"from", one.from}, {"bytes", one.bytes}, {"digest", one.digest}});
        if (!console.json())
            console.print_line(fmt::format("{}  {}, of {}", printable(one.path), size_text(one.bytes), one.from));
    }
    if (console.json()) console.print_items("CreatedBackup", std::move(items));
    return ExitCode::ok;
}

Result<backup::Judgement> judge_one(Context& context, const Ground& ground, const BackupPolicy& policy,
                                    const VerifyPolicies& options) {
    const auto lock = TRY(backup::lock_policy(ground.state, policy.name));
    backup::Verdicts verdicts = TRY(backup::read_verdicts(ground.state, policy.name));
    verify::Effort effort;
    Progress progress(context, effort);
    backup::JudgeOptions judging{
        .now = context.now(),
        .again = options.again,
        .recovery = options.recovery,
        .chance = std::random_device{}(),
        .key = options.key.value_or(""),
        .place = options.place,
        .threads = std::max(1u, std::thread::hardware_concurrency()),
        .stop = progress.stop_token(),
        .on_step = [&](const std::string& step) { progress.begin(policy.name + ": " + step, 0); }};
    backup::Judgement judgement = TRY(backup::judge(ground.estate, policy, verdicts, judging));
    verdicts.add(judgement);
    TRY(backup::write_verdicts(ground.state, policy.name, verdicts));
    return judgement;
}

// A policy that cannot be judged is no reason to leave the others out: it is answered no where there is nothing, else
// unknown. That is not remembered: it says nothing of a backup.
backup::Judgement unjudged(const Ground& ground, const BackupPolicy& policy, const Error& error, Moment now) {
    const auto directory = backup::directory_of(ground.estate, policy);
    const bool is_gone = error.fault == Fault::not_found && directory && !exists(*directory);
    return {.name = ".",
            .at = now,
            .answers = {{.question = "judged",
                         .holds = is_gone ? Truth::no : Truth::unknown,
                         .says = error.hint.empty() ? error.message : error.message + ": " + error.hint}}};
}

ExitCode verify_policies(Context& context, const VerifyPolicies& options) {
    Console& console = context.console();
    constexpr const char* failed = "not verified";
    const Result<Ground> ground = ground_of(context);
    if (!ground) return console.fail(failed, ground.error());
    const auto policies = policies_of(ground->estate, options.policies);
    if (!policies) return console.fail(failed, policies.error());
    context.around().catch_interrupt();
    ExitCode code = ExitCode::ok;
    Json items = Json::array();
    for (const BackupPolicy* policy : *policies) {
        Result<backup::Judgement> judgement = judge_one(context, *ground, *policy, options);
        if (context.around().interrupted()) return ExitCode::interrupted;
        if (!judgement) {
            judgement = unjudged(*ground, *policy, judgement.error(), context.now());
            // On the other stream, too: a controller that asked for it keeps only what stands there.
            console.warn(fmt::format("{} was not verified: {}", policy->name, judgement->answers.front().says));
        }
        code = with(code, judgement->holds());
        if (console.json()) {
            Json item = backup::judgement_json(*judgement);
            item["policy"] = policy->name;
            items.push_back(std::move(item));
        } else {
            console.print(rendered(policy->name, *judgement, console.out()));
            console.flush();
        }
    }
    if (console.json()) console.print_items("BackupJudgement", std::move(items));
    return code;
}

// refused while a run that has not ended holds the store.
Result<void> no_run_holds(const Context& context, const std::string& store) {
    const auto journal = TRY(journal_to_read(context));
    if (journal == nullptr) return {};
    for (const RunRecord& run : TRY(journal->runs()))
        if (!run.ended && std::ranges::find(run.targets, store) != run.targets.end())
            return Error{Fault::conflict, fmt::format("run {} holds {} and has not ended", run.id, store),
                         "wait for its end, or cancel it"};
    return {};
}

// refused while a recovery reads them.
Result<void> no_recovery_holds(const std::string& state, const std::string& policy) {
    const auto holders = TRY(backup::holders_of_backups(state, policy));
    if (holders.empty()) return {};
    return Error{Fault::conflict, fmt::format("the recovery {} reads from them", holders.front()),
                 "wait until it has copied what it needs"};
}

Result<std::vector<LockFile>> locks_to_prune(const Ground& ground, const BackupPolicy& policy) {
    std::vector<LockFile> locks;
    for (const BackupPolicy* one : backup::policies_to_lock(ground.estate, policy))
        locks.push_back(TRY(backup::lock_policy(ground.state, one->name)));
    return locks;
}

ExitCode prune_backups(Context& context, const PruneBackups& options) {
    Console& console = context.console();
    constexpr const char* failed = "nothing was removed";
    const Result<Ground> ground = ground_of(context);
    if (!ground) return console.fail(failed, ground.error());
    const auto policy = policy_named(ground->estate, options.policy);
    if (!policy) return console.fail(failed, policy.error());
    const auto locks = locks_to_prune(*ground, **policy);
    if (!locks) return console.fail(failed, locks.error());
    context.around().catch_interrupt();
    verify::Effort effort{.threads = std::max(1u, std::thread::hardware_concurrency())};
    const Result<backup::Pruning> pruning = [&] {
        Progress progress(context, effort);
        progress.begin("looking at what would go", 0);
        return backup::plan_pruning(ground->estate, **policy, ground->state, context.now(), effort);
    }();
    if (context.around().interrupted()) return ExitCode::interrupted;
    if (!pruning) return console.fail(failed, pruning.error());
    if (!console.json()) console.print(rendered(*pruning, context.now(), console.out()));
    Removal removal = Removal::planned;
    if (pruning->removes_any() && !options.dry_run) {
        if (const auto free = no_run_holds(context, (*policy)->in); !free) return console.fail(failed, free.error());
        if (const auto free = no_recovery_holds(ground->state, options.policy); !free)
            return console.fail(failed, free.error());
        if (const auto yes = context.confirm(options.confirm, options.policy,
                                             fmt::format("Type the policy's name, {}, to remove them:", options.policy),
                                             "look with --dry-run, then ");
            !yes)
            return console.fail(failed, yes.error());
        if (const auto removed = backup::carry_out(*pruning); !removed)
            return console.fail("not all of it was removed", removed.error());
        removal = Removal::done;
    }
    if (console.json())
        console.print_items("Pruning", as_json(*pruning, context.now(), removal));
    else if (removal == Removal::done)
        console.print_line("all that goes was removed");
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> policy_commands() {
    return {command("backup list", "List the backups that there are, how old they are and what they are worth",
                    list_backups)
                .argument("POLICY", &OfPolicies::policies, "only of these policies of the estate")
                .flag("all", &OfPolicies::everything, "every backup, not only the newest of each policy")
                .details("Ages are by what each backup says of itself. Exit 15 if one is overdue, missing, or the last "
                         "judgement of the newest says no; 16 if that cannot be told, or it was never judged.")
                .example("kedge backup list")
                .example("kedge backup list daily-dumps --all --json")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::negative,
                        ExitCode::unverifiable}),
            command("backup create", "Take a backup as a policy of the estate asks for it", create_backup)
                .argument("POLICY", &CreateBackup::policy, "the policy")
                .option("from", "REGION", &CreateBackup::region, "of the copy there, else of a standby that answers")
                .details("Writes it whole under a name of its own, reads it back, puts a manifest with the digest of "
                         "every block beside it, and gives it its name last. Of a policy of copies, copies what is "
                         "not there yet. Exit 4 if the store's own directory is not there: it is never made.")
                .example("kedge backup create daily-dumps")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::conflict,
                        ExitCode::refused, ExitCode::negative}),
            command("backup verify", "Judge backups by the policies of the estate, and remember the verdicts",
                    verify_policies)
                .argument("POLICY", &VerifyPolicies::policies, "only these policies")
                .flag("again", &VerifyPolicies::again, "read also what has not changed since it was found sound")
                .flag("recover", &VerifyPolicies::recovery,
                      "of base backups: also recover to a moment of the window, chosen by chance")
                .option("restore-in", "DIR", &VerifyPolicies::place, "where to restore, else below /var/tmp")
                .option("key", "TEXT", &VerifyPolicies::key, "stands in the evidence: who asked")
                .details("Each question of a policy is answered with its evidence: fresh, intact, proved by a restore, "
                         "tables, production, the log without a gap, copies. Production is counted on a standby, or "
                         "known by its statistics; unreachable is unknown. A policy that cannot be judged is no or "
                         "unknown, and the others are judged. Exit 15 if any answer is no, 16 if any is unknown.")
                .example("kedge backup verify daily-dumps")
                .example("kedge backup verify base-backups --recover --json")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::negative,
                        ExitCode::unverifiable}),
            command("backup prune", "Remove the backups that a policy no longer keeps", prune_backups)
                .argument("POLICY", &PruneBackups::policy, "the policy")
                .flag("dry-run", &PruneBackups::dry_run, "only say what would go, and why the others stay")
                .option("confirm", "POLICY", &PruneBackups::confirm, "the policy's name again: do it")
                .details("Never the newest that is proved, nor what is newer than it; nothing while a run holds the "
                         "store or somebody makes or judges backups of the policy. Of the log, what lies before the "
                         "segment in which the first of all base backups begins; of copies, as of what they are "
                         "copies of. What a killed `backup create` left goes too.")
                .example("kedge backup prune daily-dumps --dry-run")
                .example("kedge backup prune archived-log --confirm archived-log")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::conflict,
                        ExitCode::refused, ExitCode::negative})};
}

}  // namespace kedge
