// What earlier runs of a plan measured: how long its steps took, and the run as a whole.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "journal/journal.h"

namespace kedge {

struct PastRuns {
    std::map<std::string, Span> last_took;  // by step: the newest success that changed or checked something
    std::vector<Span> totals;               // of runs that succeeded, sorted

    // The middle one; zero if there is none.
    Span median() const;
};

// Of the newest runs that really ran (no rehearsals). A run that cannot be read says nothing here. `journal` may be
// null.
PastRuns past_runs(const Journal* journal, const std::string& plan, const std::string& lab_root);

}  // namespace kedge
