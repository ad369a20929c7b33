// Shows a run while it goes on, as its journal tells it: in place on a terminal, else one line a change.
#pragma once

#include <optional>
#include <stop_token>

#include "cli/context.h"
#include "journal/journal.h"
#include "runner/runs.h"

namespace kedge {

enum class FollowEnd {
    ended,          // the run has
    interrupted,    // by the person who watches
    timed_out,      // after `timeout`
    no_controller,  // nobody advances the run any more
    stopped,        // by `stop`
};

struct FollowOptions {
    std::optional<Span> timeout;
    // This process controls the run: it does not look for a controller, and leaves interrupts to who does.
    bool attached = false;
    std::stop_token stop;
};

// Folds into `state`, which stands at the first entry, whatever the journal has and gets of it, and shows it. Uses
// the console alone while it runs. An error is one of the journal.
Result<FollowEnd> follow(Context& context, const Journal& journal, RunState& state, const FollowOptions& options);

// The code with which a command ends that waited for the run.
ExitCode exit_code_of_run(const RunState& state);
// What came of the run, in three lines at most; to where remarks go.
void conclude(Context& context, const RunState& state);

}  // namespace kedge
