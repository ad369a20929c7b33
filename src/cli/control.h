// Controls a run from this process: carries it on until it ends or the process is asked to stop.
#pragma once

#include <string>

#include "cli/context.h"
#include "journal/sqlite/sqlite_journal.h"
#include "runner/runs.h"

namespace kedge {

struct ControlOptions {
    std::optional<Span> timeout;  // stop controlling then; the run stays as it is and can be resumed
    bool plays_people = false;    // of a lab's own estate
};

// Shows it meanwhile and says at the end what came of it. The view is a thread of its own that reads the journal: a
// terminal that does not take output holds nothing up.
ExitCode control_run(Context& context, SqliteJournal& journal, ControlledRun run, const ControlOptions& options);

// Starts a kedge of its own, in a session of its own, that resumes run `id`, and waits until it has claimed it. Its
// remarks go to `log`. The run must have no controller.
Result<void> leave_to_child(const Context& context, const Journal& journal, const RunId& id, const std::string& log,
                            const ControlOptions& options);

}  // namespace kedge
