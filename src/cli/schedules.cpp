#include "cli/schedules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/run_view.h"
#include "os/files.h"
#include "runner/runs.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t unit_bytes_max = 64 * 1024;
// So many runs of all plans are looked at: a week of hourly drills beside a weekly verification, and more.
constexpr std::size_t runs_looked_at = 300;

// Every step that failed: a plan that goes on after a failure looks at the next point all the same.
std::string how_it_ended(const RunState& state) {
    std::vector<std::string> failed;
    for (std::size_t i = 0; i < state.size(); ++i)
        if (state.record(i).state == StepState::failed)
            failed.push_back(fmt::format("{}: {}", state.bound(i).id, state.record(i).says));
    return failed.empty() ? state.phase_says() : fmt::format("{}", fmt::join(failed, "\n"));
}

}  // namespace

Result<std::vector<ScheduledPlan>> scheduled_plans(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator file(directory, error), end; !error && file != end; file.increment(error)) {
        const std::string name = file->path().filename().string();
        if (name.starts_with("kedge-plan-") && name.ends_with(".service")) names.push_back(name);
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return Error{Fault::unavailable, fmt::format("{}: {}", directory, error.message())};
    std::ranges::sort(names);
    std::vector<ScheduledPlan> plans;
    for (const std::string& name : names) {
        const std::string content = TRY(read_file(directory + "/" + name, unit_bytes_max));
        if (is_ours(content)) plans.push_back(TRY(read_units(content).within(directory + "/" + name)));
    }
    return plans;
}

Result<std::optional<std::string>> own_unit(const std::string& directory, const std::string& name) {
    const std::string path = directory + "/" + name;
    Result<std::string> content = read_file(path, unit_bytes_max);
    if (!content && content.error().fault == Fault::not_found) return std::optional<std::string>{};
    if (!content) return content.error();
    if (!is_ours(*content))
        return Error{Fault::refused, fmt::format("{} was not written by kedge schedule", path),
                     "it is left as it is; move it away if it is no longer needed"};
    return std::optional(std::move(*content));
}

std::vector<ScheduledRun> runs_of(const Journal* journal, const std::string& plan) {
    std::vector<ScheduledRun> found;
    if (journal == nullptr) return found;
    const Result<std::vector<RunRecord>> records = journal->runs();
    if (!records) return found;
    const std::size_t from = records->size() - std::min(records->size(), runs_looked_at);
    for (std::size_t i = from; i < records->size(); ++i) {
        if (is_drill((*records)[i].id)) continue;
        const Result<LoadedRun> run = load_run(*journal, (*records)[i].id, lab_root());
        if (!run || run->state.plan().name != plan || run->state.header().mode == Mode::rehearse) continue;
        found.push_back({.id = run->state.id(),
                         .started = run->state.started_at(),
                         .ended = run->state.ended_at(),
                         .succeeded = run->state.result() == RunResult::succeeded,
                         .says = how_it_ended(run->state)});
    }
    return found;
}

std::string alarms_file(const std::string& state_directory) {
    return state_directory + "/schedule/alarms.jsonl";
}

}  // namespace kedge
