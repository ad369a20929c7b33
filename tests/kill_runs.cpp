#include "kill_runs.h"

#include <fmt/format.h>

#include <vector>

#include "engine/events.h"
#include "os/clock.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span journal_period = 1ms;

std::string describe(const Entry& entry) {
    return fmt::format("{} {} {}{}", entry.kind, get_string(entry.body, "step").value_or(""),
                       get_string(entry.body, "to").value_or(get_string(entry.body, "verb").value_or("")),
                       get_bool(entry.body, "intent").value_or(false) ? " (intent)" : "");
}

std::vector<Entry> read(const LabWorld& world, const RunId& run) {
    if (run.empty()) return {};
    const auto journal = SqliteJournal::open(world.state_directory(), Access::read);
    const auto entries = journal ? (*journal)->read(run, 0, SIZE_MAX) : Result<std::vector<Entry>>(journal.error());
    return entries ? *entries : std::vector<Entry>();
}

RunId new_run(const LabWorld& world, const std::vector<RunId>& before) {
    const std::vector<RunId> now = world.runs();
    return now.size() > before.size() ? now.back() : RunId();
}

Killed failed(const LabWorld& world, Killed killed, std::string trouble) {
    constexpr std::size_t shown_max = 4000;
    killed.trouble = std::move(trouble) + "\n" + world.kedge({"run", "show", killed.run, "--evidence"}).out;
    const Result<std::string> errors = read_file(world.state_directory() + "/errors");
    if (errors) killed.trouble += "\n" + errors->substr(errors->size() > shown_max ? errors->size() - shown_max : 0);
    return killed;
}

}  // namespace

Killed run_with_kills(const LabWorld& world, const Arguments& start, const KillOptions& options) {
    Killed killed;
    const std::vector<RunId> before = world.runs();
    const Moment deadline = SystemClock().now() + options.limit;
    Arguments words = start;
    std::size_t seen = 0;
    while (true) {
        Result<Child> controller = world.start_kedge(words);
        if (!controller) return failed(world, killed, controller.error().message);
        const bool last = killed.boundaries.size() >= options.kills_max;
        bool ended = false;
        while (!(ended = controller->wait(kedge::within(journal_period)).has_value())) {
            if (SystemClock().now() > deadline) return failed(world, killed, "the run did not end in time");
            if (killed.run.empty()) killed.run = new_run(world, before);
            if (!last && read(world, killed.run).size() >= seen + options.stride + killed.boundaries.size() % 4) break;
        }
        controller->kill_and_reap();
        const Result<LoadedRun> run = world.load(killed.run);
        if (!run) return failed(world, killed, run.error().message);
        if (run->state.result()) return killed;
        if (ended) return failed(world, killed, "kedge ended before the run did: " + run->state.phase_says());
        killed.boundaries.insert(run->state.last());
        const std::vector<Entry> entries = read(world, killed.run);
        seen = entries.size();
        if (!entries.empty()) fmt::print("killed after entry {}: {}\n", seen, describe(entries.back()));
        words = {"run", "resume", killed.run, "--play-people"};
    }
}

}  // namespace kedge::lab
