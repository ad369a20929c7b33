#include "cli/recover_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/text.h"
#include "recover/gate.h"

namespace kedge {

using recover::Recovery;
using recover::Stage;

namespace {

// "pitr-20261124-030507"
std::string default_name(const std::string& kind, Moment now) {
    std::string text = to_string(now).substr(0, 19);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    std::ranges::replace(text, 'T', '-');
    return kind + "-" + text;
}

}  // namespace

Result<std::string> database_of(const Estate& estate, const std::optional<std::string>& named) {
    std::vector<std::string> names;
    for (const Target& target : estate.targets)
        if (target.kind == TargetKind::database && (!named || target.name == *named)) names.push_back(target.name);
    if (names.size() == 1) return names.front();
    if (named) return Error{Fault::not_found, fmt::format("`{}` is no database of the estate", *named)};
    return Error{Fault::invalid_input, fmt::format("the estate has {} databases", names.size()),
                 "say which with --target"};
}

Result<Recovery> recovery_asked_for(const Context& context, const Estate& estate, const BackupPolicy& policy,
                                    const Asked& asked) {
    const std::string name = asked.name.empty() ? default_name(asked.kind, context.now()) : asked.name;
    const std::string place = asked.place.empty() ? recover::usual_place() : asked.place;
    TRY(recover::check_recovery_name(name));
    TRY(recover::check_place(place));
    return Recovery{.name = name,
                    .target = policy.of,
                    .policy = policy.name,
                    .asked = asked.what,
                    .database = estate.target(policy.of)->settings.text("database").value_or("postgres"),
                    .directory = place + "/" + name,
                    .who = context.around().login,
                    .begun = context.now(),
                    .key = asked.key};
}

std::string stage_text(const Recovery& recovery, bool is_worked_on) {
    if (recovery.stage == Stage::working && !is_worked_on) return "interrupted";
    return std::string(to_string(recovery.stage));
}

Json recovery_json(const Recovery& recovery, bool is_worked_on) {
    return {{"name", recovery.name},
            {"target", recovery.target},
            {"asked", recovery.asked},
            {"stage", stage_text(recovery, is_worked_on)},
            {"says", recovery.says},
            {"who", recovery.who},
            {"begun", to_string(recovery.begun)},
            {"ended", recovery.ended ? Json(to_string(*recovery.ended)) : Json()},
            {"directory", recovery.directory},
            {"connection", recover::check_usable(recovery) ? Json(recovery.server().connection) : Json()},
            {"choice", recovery.choice},
            {"proof", recovery.proof}};
}

void print_recovered(Console& console, const Recovery& recovery) {
    const auto line = [&](const char* what, const std::string& says) {
        console.print_line(fmt::format("  {:<22}{}", what, printable(says)));
    };
    const std::string proved = get_string(recovery.proof, "proved").value_or("unknown");
    const Json& erasure = get(recovery.proof, "erasure");
    if (recovery.stage == Stage::gated) {
        console.print_line(fmt::format("{} stands, and nothing may be taken from it", recovery.name));
        line("why", recovery.says);
        line("then", fmt::format("kedge recover erase {}", recovery.name));
        return;
    }
    console.print_line(fmt::format("{} {}", recovery.name,
                                   proved == "yes" ? "is recovered and stands at its point"
                                                   : "is recovered, but does not stand where it was asked to"));
    line("proved", fmt::format("{}: {}", proved, recovery.says));
    line("erased people", get_string(erasure, "says")
                              .value_or(fmt::format("{} of the ledger were taken out, {} are kept by a hold",
                                                    get_integer(erasure, "subjects").value_or(0),
                                                    get_integer(erasure, "held").value_or(0))));
    line("took",
         readable(Span(static_cast<std::int64_t>(get_number(recovery.proof, "took_seconds").value_or(0) * 1e6))));
    line("reach it with", fmt::format("psql '{}'", recovery.server().connection));
    line("differences", fmt::format("kedge recover compare {}", recovery.name));
    line("be rid of it", fmt::format("kedge recover discard {}", recovery.name));
}

ExitCode code_of(const Recovery& recovery) {
    if (recovery.stage == Stage::gated) return ExitCode::refused;
    const std::string proved = get_string(recovery.proof, "proved").value_or("unknown");
    return proved == "yes" ? ExitCode::ok : proved == "no" ? ExitCode::negative : ExitCode::unverifiable;
}

Result<void> may_be_made(const std::string& state, const recover::Recovery& wanted) {
    const auto there = recover::find_recovery(state, wanted.name);
    if (!there && there.error().fault == Fault::not_found) return {};
    if (!there) return there.error();
    const bool same =
        there->asked == wanted.asked && there->target == wanted.target && there->directory == wanted.directory;
    const bool stands =
        there->stage != Stage::chosen && there->stage != Stage::working && there->stage != Stage::failed;
    if (!stands && same) return {};
    return Error{Fault::conflict, fmt::format("there is a recovery called `{}` already", there->name),
                 fmt::format("take another --name, or kedge recover discard {}", there->name)};
}

}  // namespace kedge
