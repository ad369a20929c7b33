// recover promote, put-back: a recovered copy takes production's place, or leaves it again.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/finding.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "cli/wiring.h"
#include "recover/promote.h"

namespace kedge {
namespace {

using recover::Recovery;

struct Promote {
    std::string name, region, confirm;
    bool prepare = false, dry_run = false;
};

// A recovery, held while it is used, and the server whose place it takes.
struct Swap {
    Estate estate;
    std::string state;
    LockFile lock;
    Recovery recovery;
    recover::Production production;
};

Result<Swap> swap_of(const Context& context, const Promote& options) {
    const std::string state = TRY(find_state_directory(context));
    Estate estate = TRY(find_estate(context));
    TRY(recover::find_recovery(state, options.name));
    LockFile lock = TRY(recover::lock_recovery(state, options.name));
    Recovery recovery = TRY(recover::find_recovery(state, options.name));
    const Target* target = estate.target(recovery.target);
    if (target == nullptr)
        return Error{Fault::not_found, fmt::format("the estate has no target `{}`", recovery.target)};
    // Once it was prepared, it is known where.
    const std::string prepared = get_string(get(recovery.proof, "promotion"), "region").value_or("");
    const std::string region = options.region.empty() ? prepared : options.region;
    if (region.empty())
        return Error{Fault::invalid_input, "--in is missing", "say in which region the server is whose place it takes"};
    if (!prepared.empty() && region != prepared)
        return Error{Fault::conflict, fmt::format("{} was prepared for {}", options.name, prepared),
                     fmt::format("kedge recover put-back {}", options.name)};
    recover::Production production = TRY(production_in(*target, region));
    return Swap{std::move(estate), state, std::move(lock), std::move(recovery), std::move(production)};
}

void tell_swap(Console& console, const Swap& swapping) {
    if (console.json()) {
        console.print_item("Recovery", recovery_json(swapping.recovery, true));
        return;
    }
    console.print_line(fmt::format("{} is {}: {}", swapping.recovery.name, to_string(swapping.recovery.stage),
                                   printable(swapping.recovery.says)));
    if (swapping.recovery.stage != recover::Stage::promoted) return;
    const auto line = [&](const std::string& says) { console.print_line("  then  " + says); };
    line("lower the fence of " + swapping.production.name + " and start it");
    line("rebuild its standbys, and take a base backup: nothing taken before leads to what is written from now on");
    line(fmt::format("kedge recover discard {}, when nobody will want back what was there before",
                     swapping.recovery.name));
}

ExitCode promote_recovery(Context& context, const Promote& options) {
    Console& console = context.console();
    constexpr const char* failed = "it was not swapped in";
    auto swapping = swap_of(context, options);
    if (!swapping)
        return swapping.error().fault == Fault::invalid_input ? console.fail_usage(swapping.error())
                                                              : console.fail(failed, swapping.error());
    recover::Promotion promotion(swapping->state, swapping->estate, swapping->recovery, swapping->production, {});
    if (options.dry_run) {
        if (const auto could = promotion.check(); !could) return console.fail(failed, could.error());
        if (!console.json())
            console.print_line(fmt::format("{} could take the place of {}", options.name, swapping->production.name));
        else
            console.print_item("Recovery", recovery_json(swapping->recovery, true));
        return ExitCode::ok;
    }
    if (const auto yes = context.confirm(options.confirm, options.name,
                                         fmt::format("Type the recovery's name, {}, to put it in the place of {}:",
                                                     options.name, swapping->production.name),
                                         "look with --dry-run, then ");
        !yes)
        return console.fail(failed, yes.error());
    if (const auto ready = promotion.prepare(); !ready) return console.fail(failed, ready.error());
    if (!options.prepare)
        if (const auto done = promotion.swap(); !done) return console.fail(failed, done.error());
    tell_swap(console, *swapping);
    return ExitCode::ok;
}

ExitCode put_recovery_back(Context& context, const Promote& options) {
    Console& console = context.console();
    constexpr const char* failed = "it was not put back";
    auto swapping = swap_of(context, options);
    if (!swapping)
        return swapping.error().fault == Fault::invalid_input ? console.fail_usage(swapping.error())
                                                              : console.fail(failed, swapping.error());
    recover::Promotion promotion(swapping->state, swapping->estate, swapping->recovery, swapping->production, {});
    if (const auto yes = context.confirm(
            options.confirm, options.name,
            fmt::format("Type the recovery's name, {}, to take it out of production's place:", options.name));
        !yes)
        return console.fail(failed, yes.error());
    if (const auto done = promotion.put_back(); !done) return console.fail(failed, done.error());
    tell_swap(console, *swapping);
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> recover_promote_commands() {
    return {
        command("recover promote", "Swap a recovered database in for production", promote_recovery)
            .argument("NAME", &Promote::name, "the recovery")
            .option("in", "REGION", &Promote::region, "where the server is whose place it takes")
            .flag("prepare", &Promote::prepare, "only ready it, while production runs")
            .flag("dry-run", &Promote::dry_run, "only say whether it could be")
            .option("confirm", "NAME", &Promote::confirm, "its name again: do it")
            .details("The plan promote-recovery does all of it, in order. This is its one step that changes places: "
                     "refused unless production's fence is up and no server runs behind it. Both data directories are "
                     "renamed, on one file system; what was production is kept beside. Nothing is started. Killed "
                     "anywhere, the same command goes on.")
            .example("kedge recover promote before-the-import --in us-east-1 --dry-run")
            .example("kedge recover promote monday --in us-east-1 --confirm monday")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
        command("recover put-back", "Put what was production back in its place", put_recovery_back)
            .argument("NAME", &Promote::name, "the recovery that was swapped in")
            .option("in", "REGION", &Promote::region, "where it was; known once it was prepared")
            .option("confirm", "NAME", &Promote::confirm, "its name again: do it")
            .details("Under production's fence, as recover promote. The copy stands beside production again, with all "
                     "that was written to it meanwhile; production is not started.")
            .example("kedge recover put-back before-the-import")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused})};
}

}  // namespace kedge
