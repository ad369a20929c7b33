// What is owed over all runs: obligations that a run ended with, taken over by name, stay open until a later run
// pays them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/run_state.h"
#include "runner/runs.h"

namespace kedge {

struct Owed {
    RunId run;
    OpenObligation obligation;
};

// `runs` from the oldest to the newest. What one owes is paid by a step of a later one that succeeded after it.
std::vector<Owed> still_owed(const std::vector<const RunState*>& runs);

// The runs that have to be folded to know it: those that go on, those that ended with something taken over, and
// all after the first of these. A run that cannot be read is named in `unreadable`.
struct LoadedRuns {
    std::vector<LoadedRun> runs;  // oldest first
    std::vector<std::string> unreadable;
};
Result<LoadedRuns> load_runs_that_owe(const Journal& journal, const std::string& lab_root);

}  // namespace kedge
