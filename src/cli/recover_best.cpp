// recover best.

#include <fmt/format.h>

#include <algorithm>

#include "backup/verdicts.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/recover_pitr.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "recover/better.h"

namespace kedge {
namespace {

using recover::Offer;
using recover::Recovery;

struct Best {
    std::string to, name, place, key;
    std::optional<std::string> target;
    bool dry_run = false;
};

// A policy that the estate lacks is said in its offer.
struct BestWanted {
    Estate estate;
    std::string state;
    verify::RecoveryTarget target;
    Moment point;
    Result<const BackupPolicy*> base = nullptr, dump = nullptr;
    Recovery recovery;
};

struct BestFound {
    std::vector<Offer> offers;
    recover::Better better;
};

Result<void> fill(Context& context, const Best& options, BestWanted& wanted) {
    using Kind = verify::RecoveryTarget::Kind;
    wanted.target = TRY(verify::parse_recovery_target(options.to).within("--to"));
    if (wanted.target.kind != Kind::moment && wanted.target.kind != Kind::latest)
        return Error{Fault::invalid_input, fmt::format("--to: `{}`: a dump knows only when it was taken", options.to),
                     "a moment with its zone, or latest"};
    wanted.point = wanted.target.kind == Kind::moment ? wanted.target.moment : context.now();
    wanted.estate = TRY(find_estate(context));
    wanted.state = TRY(find_state_directory(context));
    const std::string database = TRY(database_of(wanted.estate, options.target));
    wanted.base = recover::recovery_policy(wanted.estate, database, std::nullopt);
    wanted.dump = recover::dump_policy(wanted.estate, database, std::nullopt);
    if (!wanted.base && !wanted.dump) return wanted.base.error();
    wanted.recovery = TRY(recovery_asked_for(context, wanted.estate, wanted.base ? **wanted.base : **wanted.dump,
                                             {.name = options.name,
                                              .kind = "best",
                                              .place = options.place,
                                              .key = options.key,
                                              .what = to_string(wanted.target)}));
    return {};
}

Json as_json(const BestFound& found) {
    Json json{{"possible", found.better.index.has_value()}, {"says", found.better.why}, {"offers", Json::array()}};
    if (found.better.index) json["from"] = found.offers[*found.better.index].from;
    for (const Offer& offer : found.offers) json["offers"].push_back(recover::as_json(offer));
    return json;
}

Result<BestFound> choose_and_make(Context& context, BestWanted& wanted, const Best& options) {
    verify::Effort effort;
    Progress progress(context, effort);
    const recover::MakeOptions make = making(progress, effort);
    const recover::ChooseOptions looking{.now = context.now(),
                                         .threads = make.threads,
                                         .stop = make.stop,
                                         .on_step = make.on_step,
                                         .pace = recover::pace_here(wanted.state)};
    // Whoever prunes waits until what is taken was copied.
    std::vector<backup::BackupHold> holds;
    const auto hold = [&](const BackupPolicy& policy) -> Result<void> {
        auto more = TRY(backup::hold_with_copies(wanted.state, wanted.estate, policy, wanted.recovery.name));
        std::ranges::move(more, std::back_inserter(holds));
        return {};
    };
    BestFound found;
    backup::Material material;
    recover::Choice choice;
    recover::DumpChoice dump;
    if (wanted.base) {
        TRY(hold(**wanted.base));
        TRY(hold(*wanted.estate.backup((*wanted.base)->log)));
        auto chosen = recover::choose(wanted.estate, **wanted.base, wanted.target, material, looking);
        if (!chosen && chosen.error().fault != Fault::not_found) return chosen.error();
        // Without a single base backup there is a dump, perhaps.
        if (chosen)
            choice = std::move(*chosen);
        else
            choice.recovery.says = chosen.error().message;
        found.offers.push_back(recover::offer_of(choice));
    }
    if (wanted.dump) {
        TRY(hold(**wanted.dump));
        dump = TRY(recover::choose_dump(wanted.estate, **wanted.dump, {.before = wanted.point}, looking));
        found.offers.push_back(recover::offer_of(dump, looking.pace));
    }
    found.better = recover::better_of(found.offers, wanted.point);
    wanted.recovery.choice = as_json(found);
    if (options.dry_run || !found.better.index) {
        // A step of a run looks there for its answer; a person has it on the screen.
        if (!wanted.recovery.key.empty()) TRY(recover::write_recovery(wanted.state, wanted.recovery));
        return found;
    }
    const bool from_base = wanted.base && *found.better.index == 0;
    wanted.recovery.policy = from_base ? (*wanted.base)->name : (*wanted.dump)->name;
    if (from_base)
        TRY(recover::recover_beside(wanted.state, wanted.recovery, choice, wanted.estate, make));
    else
        TRY(recover::restore_beside(wanted.state, wanted.recovery, dump, wanted.estate,
                                    {.threads = make.threads, .stop = make.stop, .on_step = make.on_step}));
    return found;
}

void print_found(Console& console, const BestWanted& wanted, const BestFound& found) {
    for (const Offer& offer : found.offers)
        for (const Json& one : get(offer.detail, "passed_over"))
            console.warn(fmt::format("{} was passed over: {}", printable(get_string(one, "base").value_or("")),
                                     printable(get_string(one, "why").value_or(""))));
    console.print_line(fmt::format("{} of {}", printable(wanted.recovery.asked), wanted.recovery.target));
    for (const Offer& offer : found.offers) {
        const std::string says = offer.possible
                                     ? fmt::format("loses what was written after {}, takes roughly {} ({}): {}",
                                                   offer.until ? to_string(*offer.until) : "nobody knows when",
                                                   readable(offer.takes), offer.takes_by, offer.path)
                                     : "does not serve: " + offer.says;
        console.print_line(fmt::format("  {:<28}{}", offer.from, printable(says)));
    }
    if (found.better.index)
        console.print_line(fmt::format("  {:<28}{}: {}", "better", found.offers[*found.better.index].from,
                                       printable(found.better.why)));
}

ExitCode tell(Console& console, const BestWanted& wanted, const BestFound& found, bool dry_run) {
    const bool made = !dry_run && found.better.index;
    if (console.json())
        console.print_item("Recovery", recovery_json(wanted.recovery, false));
    else
        print_found(console, wanted, found);
    if (made && !console.json()) print_recovered(console, wanted.recovery);
    if (!found.better.index) return ExitCode::negative;
    return made ? code_of(wanted.recovery) : ExitCode::ok;
}

ExitCode best(Context& context, const Best& options) {
    Console& console = context.console();
    if (options.to.empty()) return console.fail_usage({Fault::invalid_input, "--to is missing"});
    BestWanted wanted;
    const auto filled = fill(context, options, wanted);
    return make_recovery(
        context, "nothing was recovered", filled, wanted.state, wanted.recovery,
        [&] { return choose_and_make(context, wanted, options); },
        [&](const BestFound& found) { return tell(console, wanted, found, options.dry_run); });
}

}  // namespace

std::vector<Command> recover_best_commands() {
    return {
        command("recover best", "Recover from whichever backup loses less: a base backup with its log, or a dump", best)
            .option("to", "POINT", &Best::to,
                    "the last good moment, with its zone; latest if nothing was spoiled before it was lost")
            .option("target", "TARGET", &Best::target, "the database, if the estate has several", Completes::targets)
            .option("name", "NAME", &Best::name, "what the recovery is called from then on")
            .option("place", "DIR", &Best::place, "where it lies; /var/tmp/kedge-recover-UID", Completes::files)
            .option("key", "KEY", &Best::key, "who asks, if it is the step of a run")
            .flag("dry-run", &Best::dry_run, "only say what each would give, and which is better")
            .details("Reads the log, the base backup and the dump whole, and says what each would lose and how long it "
                     "would take. Less loss wins; where they lose the same to within a second, the one that is there "
                     "sooner. It stands beside production, as kedge recover pitr and kedge recover restore make it.")
            .example("kedge recover best --to latest --dry-run")
            .example("kedge recover best --to 2026-11-24T03:05:07Z --name before-the-import")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted}),
    };
}

}  // namespace kedge
