// recover promote, exchange, put-back: a recovered copy takes production's place, or leaves it again.

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/finding.h"
#include "cli/progress.h"
#include "cli/recover_view.h"
#include "cli/text.h"
#include "cli/wiring.h"
#include "recover/exchange.h"
#include "recover/promote.h"
#include "verify/effort.h"

namespace kedge {
namespace {

using recover::Recovery;

struct Promote {
    std::string name, region, confirm;
    bool prepare = false, dry_run = false, though_erased = false;
};
struct ExchangeNames {
    std::string name, region, confirm;
    bool load = false, dry_run = false;
};

// A recovery, held while it is used, and the target whose place it takes.
struct Swap {
    Estate estate;
    std::string state;
    LockFile lock;
    Recovery recovery;

    const Target& target() const { return *estate.target(recovery.target); }
};

// `changes`: production, whose owner has to agree to that.
Result<Swap> swap_of(const Context& context, const std::string& name, bool changes) {
    const std::string state = TRY(find_state_directory(context));
    Estate estate = TRY(find_estate(context));
    TRY(recover::find_recovery(state, name));
    LockFile lock = TRY(recover::lock_recovery(state, name));
    Recovery recovery = TRY(recover::find_recovery(state, name));
    const Target* const target = estate.target(recovery.target);
    if (target == nullptr)
        return Error{Fault::not_found, fmt::format("the estate has no target `{}`", recovery.target)};
    if (changes) TRY(estate.require_armed(*target));
    return Swap{std::move(estate), state, std::move(lock), std::move(recovery)};
}

// Where it goes: as was said, which is what was said before once it was prepared. Empty: nobody said.
Result<std::string> region_of(const Swap& swapping, const std::string& said) {
    const std::string prepared = get_string(get(swapping.recovery.proof, "promotion"), "region").value_or("");
    if (!prepared.empty() && !said.empty() && said != prepared)
        return Error{Fault::conflict, fmt::format("{} was prepared for {}", swapping.recovery.name, prepared),
                     fmt::format("kedge recover put-back {}", swapping.recovery.name)};
    return said.empty() ? prepared : said;
}

Result<recover::Production> production_of(const Swap& swapping, const std::string& said) {
    const std::string region = TRY(region_of(swapping, said));
    if (region.empty())
        return Error{Fault::invalid_input, "--in is missing", "say in which region the server is whose place it takes"};
    return production_in(swapping.target(), region);
}

ExitCode fail(Console& console, const std::string& failed, const Error& error) {
    return error.fault == Fault::invalid_input ? console.fail_usage(error) : console.fail(failed, error);
}

// What stands then is said in either case.
ExitCode fail_or_interrupted(Context& context, const std::string& failed, const Error& error) {
    const ExitCode code = context.console().fail(failed, error);
    return context.around().interrupted() ? ExitCode::interrupted : code;
}

void tell_swap(Console& console, const Swap& swapping) {
    const Recovery& recovery = swapping.recovery;
    if (console.json()) {
        console.print_item("Recovery", recovery_json(recovery, true));
        return;
    }
    console.print_line(fmt::format("{} is {}: {}", recovery.name, to_string(recovery.stage), printable(recovery.says)));
    if (recovery.stage != recover::Stage::promoted) return;
    const auto line = [&](const std::string& says) { console.print_line("  then  " + says); };
    if (recover::is_exchanged(recovery)) {
        line("take a base backup, so that a recovery need not replay all of it");
    } else {
        line(fmt::format("lower the fence of {} and start it",
                         get_string(get(recovery.proof, "promotion"), "of").value_or(recovery.target)));
        line("rebuild its standbys, and take a base backup: nothing taken before leads to what is written from now on");
    }
    line(fmt::format("kedge recover discard {}, when nobody will want back what was there before", recovery.name));
}

// What is left to be said of one that could take production's place.
ExitCode tell_possible(Console& console, const Swap& swapping, const std::string& place) {
    if (console.json()) {
        Json item = recovery_json(swapping.recovery, true);
        item["could_take_the_place_of"] = place;
        console.print_item("Recovery", std::move(item));
    } else {
        console.print_line(fmt::format("{} could take the place of {}", swapping.recovery.name, place));
    }
    return ExitCode::ok;
}

ExitCode promote_recovery(Context& context, const Promote& options) {
    Console& console = context.console();
    constexpr const char* failed = "it was not swapped in";
    auto swapping = swap_of(context, options.name, !options.dry_run);
    if (!swapping) return fail(console, failed, swapping.error());
    const auto production = production_of(*swapping, options.region);
    if (!production) return fail(console, failed, production.error());
    recover::Promotion promotion(swapping->state, swapping->estate, swapping->recovery, *production, {});
    if (options.dry_run) {
        if (const auto could = promotion.check(); !could) return console.fail(failed, could.error());
        return tell_possible(console, *swapping, production->name);
    }
    if (const auto yes = context.confirm(
            options.confirm, options.name,
            fmt::format("Type the recovery's name, {}, to put it in the place of {}:", options.name, production->name),
            "look with --dry-run, then ");
        !yes)
        return console.fail(failed, yes.error());
    if (const auto ready = promotion.prepare(); !ready) return console.fail(failed, ready.error());
    if (!options.prepare)
        if (const auto done = promotion.swap(); !done) return console.fail(failed, done.error());
    tell_swap(console, *swapping);
    return ExitCode::ok;
}

// `region`: where the primary has to be; empty: wherever.
recover::ExchangeOptions exchange_options(const std::string& region, Progress& progress) {
    recover::ExchangeOptions options{.threads = std::max(1U, std::thread::hardware_concurrency()),
                                     .stop = progress.stop_token(),
                                     .on_step = [&progress](const std::string& step) { progress.begin(step, 0); }};
    if (!region.empty()) options.region = region;
    return options;
}

ExitCode exchange_recovery(Context& context, const ExchangeNames& options) {
    Console& console = context.console();
    constexpr const char* failed = "they were not exchanged";
    auto swapping = swap_of(context, options.name, !options.dry_run);
    if (!swapping) return fail(console, failed, swapping.error());
    const auto region = region_of(*swapping, options.region);
    if (!region) return fail(console, failed, region.error());
    if (!options.dry_run)
        if (const auto yes = context.confirm(options.confirm, options.name,
                                             fmt::format("Type the recovery's name, {}, to put it in the place of {}:",
                                                         options.name, swapping->target().name),
                                             "look with --dry-run, then ");
            !yes)
            return console.fail(failed, yes.error());
    context.around().catch_interrupt();
    std::string place;
    const Result<void> done = [&]() -> Result<void> {
        verify::Effort effort;
        Progress progress(context, effort);
        recover::Exchange exchange(swapping->state, swapping->estate, swapping->recovery, swapping->target(),
                                   exchange_options(*region, progress));
        if (options.dry_run) {
            TRY(exchange.check());
            place = TRY(exchange.place());
            return {};
        }
        TRY(exchange.load());
        return options.load ? Result<void>{} : exchange.swap();
    }();
    if (!done) return fail_or_interrupted(context, failed, done.error());
    if (options.dry_run) return tell_possible(console, *swapping, place);
    tell_swap(console, *swapping);
    return ExitCode::ok;
}

ExitCode put_recovery_back(Context& context, const Promote& options) {
    Console& console = context.console();
    constexpr const char* failed = "it was not put back";
    auto swapping = swap_of(context, options.name, true);
    if (!swapping) return fail(console, failed, swapping.error());
    const auto region = region_of(*swapping, options.region);
    if (!region) return fail(console, failed, region.error());
    const bool exchanged = recover::is_exchanged(swapping->recovery);
    std::optional<recover::Production> production;
    if (!exchanged) {
        auto found = production_of(*swapping, *region);
        if (!found) return fail(console, failed, found.error());
        production = std::move(*found);
    }
    if (const auto yes = context.confirm(
            options.confirm, options.name,
            fmt::format("Type the recovery's name, {}, to take it out of production's place:", options.name));
        !yes)
        return console.fail(failed, yes.error());
    if (exchanged) context.around().catch_interrupt();
    const Result<void> done = [&]() -> Result<void> {
        if (!exchanged)
            return recover::Promotion(swapping->state, swapping->estate, swapping->recovery, *production, {})
                .put_back(options.though_erased);
        verify::Effort effort;
        Progress progress(context, effort);
        return recover::Exchange(swapping->state, swapping->estate, swapping->recovery, swapping->target(),
                                 exchange_options(*region, progress))
            .put_back();
    }();
    if (!done) return fail_or_interrupted(context, failed, done.error());
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
        command("recover exchange", "Put a recovered database in the place of the one in the running server",
                exchange_recovery)
            .argument("NAME", &ExchangeNames::name, "the recovery, of a dump or of a base backup")
            .option("in", "REGION", &ExchangeNames::region, "refuse unless the primary is there")
            .flag("load", &ExchangeNames::load, "only load it, while production runs")
            .flag("dry-run", &ExchangeNames::dry_run, "only say whether it could be")
            .option("confirm", "NAME", &ExchangeNames::confirm, "its name again: do it")
            .details(
                "Loads the recovery into the server that takes writes, as DATABASE_from_NAME, and counts its rows; "
                "then nobody gets into DATABASE any more, and the names change at one moment. What was there is "
                "kept as DATABASE_before_NAME, closed. The server, its standbys and its archive go on. The plan "
                "exchange-database does it in order, with writes held. Killed anywhere, the same command goes on.")
            .example("kedge recover exchange monday --dry-run")
            .example("kedge recover exchange monday --load --confirm monday")
            .example("kedge recover exchange monday --confirm monday")
            .exits({ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
        command("recover put-back", "Put what was production back in its place", put_recovery_back)
            .argument("NAME", &Promote::name, "the recovery that was swapped in")
            .option("in", "REGION", &Promote::region, "where it was; known once it was prepared")
            .flag("though-erased", &Promote::though_erased,
                  "of one that was promoted: even if people were erased since")
            .option("confirm", "NAME", &Promote::confirm, "its name again: do it")
            .details(
                "Of one that was promoted, under production's fence: the copy stands beside production again, with "
                "all that was written to it meanwhile; production is not started. Of one that was exchanged: the "
                "names change back, and what was written meanwhile is in DATABASE_from_NAME; who was erased meanwhile "
                "is "
                "taken out of what serves again, and its sequences move on first.")
            .example("kedge recover put-back before-the-import")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused})};
}

}  // namespace kedge
