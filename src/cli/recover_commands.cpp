// recover list, show, erase, discard.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/recover_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "recover/exchange.h"
#include "recover/from_snapshot.h"
#include "recover/gate.h"
#include "recover/recovery.h"

namespace kedge {
namespace {

using recover::Recovery;
using recover::Stage;

struct Named {
    std::string name;
};
struct Discard {
    std::string name, confirm;
    bool leave_loaded = false;
};

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
    if (const auto there = recover::find_recovery(*state, options.name); !there)
        return console.fail(failed, there.error());
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

// Of one that was loaded into the running server: what it left there.
Result<void> remove_databases(const Context& context, const std::string& state, Recovery& recovery) {
    if (!recover::is_exchanged(recovery)) return {};
    const Estate estate = TRY(find_estate(context));
    const Target* target = estate.target(recovery.target);
    if (target == nullptr)
        return Error{Fault::not_found, fmt::format("the estate has no target `{}`", recovery.target)};
    TRY(estate.require_armed(*target));
    auto removed = recover::Exchange(state, estate, recovery, *target, {}).remove_databases();
    if (!removed && removed.error().fault == Fault::unavailable && removed.error().hint.empty())
        return Error{Fault::unavailable, removed.error().message,
                     "with --leave-loaded what it left there stays: for a server that is gone for good"};
    return removed;
}

// The databases that would be left there.
std::string left_loaded(const Recovery& recovery) {
    const std::string live = get_string(get(recovery.proof, "promotion"), "exchanges").value_or("?");
    return fmt::format("what it left in {}, {} or {}, stays there", recovery.target,
                       recover::loaded_name(live, recovery.name), recover::replaced_name(live, recovery.name));
}

ExitCode discard_recovery(Context& context, const Discard& options) {
    Console& console = context.console();
    const std::string failed = fmt::format("{} was not discarded", options.name);
    const auto state = find_state_directory(context);
    if (!state) return console.fail(failed, state.error());
    if (const auto there = recover::find_recovery(*state, options.name); !there)
        return console.fail(failed, there.error());
    auto lock = recover::lock_recovery(*state, options.name);
    if (!lock) return console.fail(failed, lock.error());
    auto recovery = recover::find_recovery(*state, options.name);
    if (!recovery) return console.fail(failed, recovery.error());
    if (const auto yes =
            context.confirm(options.confirm, options.name,
                            fmt::format("Type its name, {}, to remove it and all that is in it:", options.name));
        !yes)
        return console.fail(failed, yes.error());
    const bool leaves = options.leave_loaded && recover::is_exchanged(*recovery);
    if (leaves) console.warn(left_loaded(*recovery));
    if (const auto free =
            leaves ? recover::leave_databases(*state, *recovery) : remove_databases(context, *state, *recovery);
        !free)
        return console.fail(failed, free.error());
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
            .flag("leave-loaded", &Discard::leave_loaded,
                  "what was loaded into the running server stays there: for one that is gone for good")
            .details(
                "Of one that was promoted it removes what was production before: the only copy of what was written "
                "since the point.")
            .example("kedge recover discard before-the-import")
            .exits({ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
    };
}

}  // namespace kedge
