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

std::string connection_of(const Recovery& recovery) {
    return recovery.is_cache() ? recovery.address : recovery.server().connection;
}

void print_cache(Console& console, const Recovery& recovery) {
    const auto line = [&](const char* what, const std::string& says) {
        console.print_line(fmt::format("  {:<22}{}", what, printable(says)));
    };
    std::uint64_t dropped = 0;
    for (const auto& [pattern, keys] : get(recovery.proof, "dropped").items()) dropped += keys.get<std::uint64_t>();
    line("keys",
         fmt::format("{}; {} were dropped by pattern", get_integer(recovery.proof, "keys").value_or(0), dropped));
    line("copied from", recovery.address);
    if (const Json& kept = get(recovery.proof, "kept"); !kept.is_null())
        line("what was there", get_string(kept, "path").value_or(""));
    line("be rid of it", fmt::format("kedge recover discard {}", recovery.name));
}

// How many rows of a dump never came to the new server, or why all of them did.
std::string said_of_filter(const Json& filtered) {
    if (const auto says = get_string(filtered, "says")) return "nothing: " + *says;
    const auto sum = [&](const char* key) {
        std::int64_t rows = 0;
        for (const Json& count : get(filtered, key)) rows += count.get<std::int64_t>();
        return rows;
    };
    return fmt::format("{} rows of erased people stayed behind, {} came without what was theirs", sum("rows"),
                       sum("changed"));
}

}  // namespace

Result<std::string> only_target(const Estate& estate, TargetKind kind, const std::optional<std::string>& named) {
    std::vector<std::string> names;
    for (const Target& target : estate.targets)
        if (target.kind == kind && (!named || target.name == *named)) names.push_back(target.name);
    if (names.size() == 1) return names.front();
    if (named) return Error{Fault::not_found, fmt::format("`{}` is no {} of the estate", *named, to_string(kind))};
    return Error{Fault::invalid_input, fmt::format("the estate has {} {}s", names.size(), to_string(kind)),
                 "say which with --target"};
}

Result<std::string> database_of(const Estate& estate, const std::optional<std::string>& named) {
    return only_target(estate, TargetKind::database, named);
}

Result<Recovery> recovery_asked_for(const Context& context, const Estate& estate, const BackupPolicy& policy,
                                    const Asked& asked) {
    const std::string name = asked.name.empty() ? default_name(asked.kind, context.now()) : asked.name;
    const std::string place = asked.place.empty() ? recover::usual_place() : asked.place;
    TRY(recover::check_recovery_name(name));
    TRY(recover::check_place(place));
    const Target& target = *estate.target(policy.of);
    const bool is_cache = target.kind == TargetKind::cache;
    return Recovery{.name = name,
                    .target = policy.of,
                    .policy = policy.name,
                    .asked = asked.what,
                    .database = is_cache ? "" : target.settings.text("database").value_or("postgres"),
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
            {"connection", recover::check_usable(recovery) ? Json(connection_of(recovery)) : Json()},
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
    if (const Json& filtered = get(recovery.proof, "filtered"); filtered.is_object())
        line("filtered on the way", said_of_filter(filtered));
    line("took",
         readable(Span(static_cast<std::int64_t>(get_number(recovery.proof, "took_seconds").value_or(0) * 1e6))));
    if (recovery.is_cache()) return print_cache(console, recovery);
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
