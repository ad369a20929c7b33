// status: one screen that says what goes on, who waits for whom, what is owed, and how the targets are.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/looks.h"
#include "cli/owed.h"
#include "cli/reports.h"
#include "cli/run_view.h"
#include "cli/table.h"
#include "cli/wiring.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// The whole answer comes within two seconds, whatever is silent.
constexpr Span look_limit = 1200ms;
constexpr std::size_t drills_shown = 3;

// What was found out, each part by itself: one that fails leaves the others.
struct Picture {
    std::vector<LoadedRun> runs;  // those that go on, and those that may owe
    std::map<RunId, std::optional<std::string>> controllers;
    std::vector<Owed> owed;
    std::vector<Sight> sights;
    std::vector<Look> looks;  // of the sights
    std::vector<Json> drills;
};

void read_runs(Context& context, Picture& picture) {
    const auto warn = [&](const Error& error) { context.console().warn("runs are unknown: " + error.message); };
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    if (!journal) return warn(journal.error());
    if (!*journal) return;
    const Result<std::vector<RunRecord>> records = (*journal)->runs();
    if (!records) return warn(records.error());
    for (const RunRecord& record : *records) picture.controllers[record.id] = record.controller;
    Result<LoadedRuns> loaded = load_runs_that_owe(**journal, lab_root());
    if (!loaded) return warn(loaded.error());
    for (const std::string& run : loaded->unreadable) context.console().warn(run);
    picture.runs = std::move(loaded->runs);
    std::vector<const RunState*> states;
    for (const LoadedRun& run : picture.runs) states.push_back(&run.state);
    picture.owed = still_owed(states);
}

void look_at_targets(Context& context, const Estate& estate, const Targets& targets, Picture& picture) {
    std::vector<Looking> lookings;
    for (const Target& target : estate.targets)
        for (Sight& sight : sights_of(target, targets)) {
            lookings.push_back(sight.look);
            picture.sights.push_back(std::move(sight));
        }
    picture.looks = look_at_all(lookings, look_limit, context.around().clock);
}

// How far the standby of a database is behind, by the heartbeat rows that both show.
std::string lag_of(const Picture& picture, std::size_t sight) {
    const auto written = [&](std::size_t i) -> std::optional<Moment> {
        const auto moment = parse_moment(get_string(picture.looks[i].evidence, "heartbeat_written").value_or(""));
        return moment ? std::optional(*moment) : std::nullopt;
    };
    if (get_string(picture.looks[sight].evidence, "role") != "standby") return "";
    for (std::size_t i = 0; i < picture.sights.size(); ++i) {
        if (picture.sights[i].target != picture.sights[sight].target) continue;
        if (get_string(picture.looks[i].evidence, "role") != "primary") continue;
        if (!written(i) || !written(sight)) return "? (no heartbeat)";
        return readable(std::max<Span>(Span{0}, *written(i) - *written(sight)));
    }
    return "? (no primary seen)";
}

void print_runs(Console& console, const Picture& picture, Moment now) {
    const Surface& surface = console.out();
    for (const LoadedRun& run : picture.runs) {
        const RunState& state = run.state;
        if (state.phase() == RunPhase::ended) continue;
        console.print_line(fmt::format("  {}  {}  {}  {}", painted(state.id(), Tone::strong, surface),
                                       printable(state.plan().name), shown(mark_of(state.phase(), {}), surface),
                                       readable(now - state.started_at())));
        if (!state.phase_says().empty()) console.print_line("    " + printable(state.phase_says()));
        for (const std::size_t step : steps_for_people(state)) {
            const Mark mark = mark_of(state.record(step).state);
            const std::string waits =
                state.record(step).state == StepState::waiting ? still_needed(state, step) : "outcome unknown";
            console.print_line("    " +
                               painted(fmt::format("{} {}: {}", glyph(mark, surface), state.bound(step).id, waits),
                                       mark.tone, surface));
            console.print_line("      " + answer_command(state, step));
        }
        const auto controller = picture.controllers.find(state.id());
        if (controller == picture.controllers.end() || !controller->second)
            console.print_line("    " + painted("no controller is alive", Tone::alarm, surface) +
                               fmt::format(": kedge run resume {}", state.id()));
    }
}

void print_targets(Console& console, const Picture& picture) {
    Table table({{"TARGET"}, {"REGION"}, {"ROLE"}, {"WELL"}, {"LAG"}, {"SAYS"}});
    for (std::size_t i = 0; i < picture.sights.size(); ++i)
        table.add({picture.sights[i].target, picture.sights[i].region,
                   get_string(picture.looks[i].evidence, "role").value_or("unknown"),
                   Cell::of(mark_of(picture.looks[i].done), console.out()), lag_of(picture, i),
                   picture.looks[i].says.empty() ? "no answer in time" : picture.looks[i].says});
    console.print(table.rendered(console.out()));
}

void print_drills(Console& console, const Picture& picture) {
    for (std::size_t i = 0; i < std::min(drills_shown, picture.drills.size()); ++i) {
        const Json& drill = picture.drills[i];
        const std::string result = get_string(drill, "result").value_or("?");
        const std::optional<double> rto = get_number(drill, "rto_from_onset_seconds");
        console.print_line(fmt::format("  {}  {}  {}  {}  RTO {}", get_string(drill, "id").value_or("?"),
                                       get_string(drill, "began").value_or("?").substr(0, 10),
                                       get_string(drill, "type").value_or("?"),
                                       painted(result,
                                               result == "PASS"   ? Tone::good
                                               : result == "FAIL" ? Tone::bad
                                                                  : Tone::unknown,
                                               console.out()),
                                       rto ? readable(Span{static_cast<std::int64_t>(*rto * 1e6)}) : "not measured"));
    }
}

void print_picture(Context& context, const Picture& picture, const std::string& estate) {
    Console& console = context.console();
    const Moment now = context.now();
    console.print_line(fmt::format("{}  as of {}", painted(estate, Tone::strong, console.out()), to_string(now)));
    const auto heading = [&](std::string_view text) {
        console.print_line("\n" + painted(text, Tone::faint, console.out()));
    };
    const bool open =
        std::ranges::any_of(picture.runs, [](const LoadedRun& run) { return run.state.phase() != RunPhase::ended; });
    heading("RUNS");
    if (open)
        print_runs(console, picture, now);
    else
        console.print_line("  none goes on");
    if (!picture.owed.empty()) heading("OWED");
    for (const Owed& owed : picture.owed)
        console.print_line("  " + painted(printable(owed.obligation.says), Tone::alarm, console.out()) +
                           fmt::format("  for {} (run {}, step {}{})", readable(now - owed.obligation.since), owed.run,
                                       owed.obligation.step,
                                       owed.obligation.owner.empty() ? "" : ", owner " + owed.obligation.owner));
    if (!picture.sights.empty()) {
        heading("TARGETS");
        print_targets(console, picture);
    }
    heading("DRILLS");
    if (picture.drills.empty())
        console.print_line("  none yet");
    else
        print_drills(console, picture);
}

Json picture_json(const Picture& picture) {
    Json json = Json::object();
    for (const char* part : {"runs", "owed", "targets", "drills"}) json[part] = Json::array();
    for (const LoadedRun& run : picture.runs) {
        if (run.state.phase() == RunPhase::ended) continue;
        const auto controller = picture.controllers.find(run.state.id());
        Json item = run_json(run.state, controller != picture.controllers.end() ? controller->second : std::nullopt);
        item.erase("steps");
        item["waits"] = Json::array();
        for (const std::size_t step : steps_for_people(run.state))
            item["waits"].push_back({{"step", run.state.bound(step).id},
                                     {"state", to_string(run.state.record(step).state)},
                                     {"needs", still_needed(run.state, step)},
                                     {"answer", answer_command(run.state, step)}});
        json["runs"].push_back(std::move(item));
    }
    for (const Owed& owed : picture.owed) {
        Json item = obligation_json(owed.obligation);
        item["run"] = owed.run;
        json["owed"].push_back(std::move(item));
    }
    for (std::size_t i = 0; i < picture.sights.size(); ++i)
        json["targets"].push_back({{"target", picture.sights[i].target},
                                   {"region", picture.sights[i].region},
                                   {"well", to_string(picture.looks[i].done)},
                                   {"lag", lag_of(picture, i)},
                                   {"says", picture.looks[i].says},
                                   {"evidence", *picture.looks[i].evidence}});
    for (std::size_t i = 0; i < std::min(drills_shown, picture.drills.size()); ++i)
        json["drills"].push_back({{"id", get(picture.drills[i], "id")},
                                  {"type", get(picture.drills[i], "type")},
                                  {"began", get(picture.drills[i], "began")},
                                  {"result", get(picture.drills[i], "result")}});
    return json;
}

ExitCode show_status(Context& context, const Nothing&) {
    Console& console = context.console();
    Picture picture;
    std::string name = "no estate";
    std::optional<Estate> estate;
    Targets targets;  // outlives the sights' looks
    if (find_estate_file(context)) {
        Result<Estate> found = find_estate(context);
        if (!found) return console.fail("the status is not known", found.error());
        estate = std::move(*found);
        name = estate->name;
    } else {
        console.warn("no estate is known, so no targets are looked at; give --estate FILE");
    }
    read_runs(context, picture);
    if (estate) {
        const Result<std::string> state = find_state_directory(context);
        Result<Targets> bound = state ? bind_targets(*estate, *state) : Result<Targets>(state.error());
        if (bound) {
            targets = std::move(*bound);
            look_at_targets(context, *estate, targets, picture);
        } else {
            console.warn("targets are unknown: " + bound.error().message);
        }
    }
    if (Result<std::vector<Json>> drills = read_reports(context)) picture.drills = std::move(*drills);
    if (console.json())
        console.print_item("Status", picture_json(picture));
    else
        print_picture(context, picture, name);
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> status_commands() {
    return {command("status", "Say what goes on, who waits for whom, what is owed (the default)", show_status)
                .details("Answers within two seconds; what did not answer is unknown, and nothing is good unless it "
                         "was seen.")
                .example("kedge status --json")
                .exits({ExitCode::invalid_input})};
}

}  // namespace kedge
