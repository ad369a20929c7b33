#include "cli/past_runs.h"

#include <algorithm>

#include "cli/run_view.h"
#include "runner/runs.h"

namespace kedge {
namespace {

// Older ones tell of another plan and another machine.
constexpr std::size_t runs_measured = 20;

}  // namespace

Span PastRuns::median() const {
    return totals.empty() ? Span{} : totals[totals.size() / 2];
}

PastRuns past_runs(const Journal* journal, const std::string& plan, const std::string& lab_root) {
    PastRuns past;
    if (journal == nullptr) return past;
    Result<std::vector<RunRecord>> records = journal->runs();
    if (!records) return past;
    std::ranges::reverse(*records);
    std::size_t looked_at = 0;
    for (const RunRecord& record : *records) {
        if (!record.ended || is_drill(record.id)) continue;
        if (++looked_at > runs_measured) break;
        const Result<LoadedRun> run = load_run(*journal, record.id, lab_root);
        if (!run || run->state.plan().name != plan || run->state.header().mode == Mode::rehearse) continue;
        const RunState& state = run->state;
        if (state.result() == RunResult::succeeded) past.totals.push_back(*state.ended_at() - state.started_at());
        for (std::size_t i = 0; i < state.size(); ++i)
            if (state.record(i).state == StepState::succeeded && state.record(i).ended_at)
                if (const auto took = time_taken(state.record(i), *state.record(i).ended_at))
                    past.last_took.emplace(state.bound(i).id, *took);
    }
    std::ranges::sort(past.totals);
    return past;
}

}  // namespace kedge
