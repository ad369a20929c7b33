#include "cli/owed.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/run_view.h"
#include "engine/events.h"

namespace kedge {
namespace {

bool pays(const BoundStep& step, const StepRecord& record, const OpenObligation& owed) {
    if (record.state != StepState::succeeded || step.type == nullptr || step.target != owed.target) return false;
    if (!owed.region.empty() && step.region != owed.region) return false;
    return record.ended_at > owed.since && std::ranges::find(step.type->pays, owed.name) != step.type->pays.end();
}

bool is_paid_by(const RunState& run, const OpenObligation& owed) {
    for (std::size_t i = 0; i < run.size(); ++i)
        if (pays(run.bound(i), run.record(i), owed)) return true;
    return false;
}

bool took_something_over(const std::vector<Entry>& entries) {
    return std::ranges::any_of(entries, [](const Entry& entry) {
        return entry.kind == events::request_judged && get_string(entry.body, "verb") == "take_over" &&
               get_bool(entry.body, "accepted").value_or(false);
    });
}

}  // namespace

std::vector<Owed> still_owed(const std::vector<const RunState*>& runs) {
    std::vector<Owed> list;
    for (auto run = runs.begin(); run != runs.end(); ++run)
        for (const OpenObligation& owed : (*run)->obligations())
            if (std::none_of(run + 1, runs.end(), [&](const RunState* later) { return is_paid_by(*later, owed); }))
                list.push_back({(*run)->id(), owed});
    return list;
}

Result<LoadedRuns> load_runs_that_owe(const Journal& journal, const std::string& lab_root) {
    LoadedRuns loaded;
    bool owing = false;
    for (const RunRecord& record : TRY(journal.runs())) {
        if (is_drill(record.id)) continue;
        if (record.ended && !owing) {
            // An end is reached with obligations only if somebody took them over: nothing else has to be folded.
            const Result<std::vector<Entry>> entries = journal.read(record.id, 0);
            if (entries && !took_something_over(*entries)) continue;
        }
        Result<LoadedRun> run = load_run(journal, record.id, lab_root);
        if (!run) {
            loaded.unreadable.push_back(fmt::format("run {}: {}", record.id, run.error().message));
            continue;
        }
        owing = owing || record.ended;
        loaded.runs.push_back(std::move(*run));
    }
    return loaded;
}

}  // namespace kedge
