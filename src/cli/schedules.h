// What the schedule commands share: the scheduled plans of a directory of units, and how each stands by the journal.
#pragma once

#include <string>
#include <vector>

#include "cli/finding.h"
#include "response/alarms.h"
#include "response/timer_units.h"

namespace kedge {

inline constexpr std::string_view system_units = "/etc/systemd/system";

struct FoundPlan {
    ScheduledPlan plan;
    ScheduleLook look;
};

// The plans that have units of ours in `directory`, by name. corrupt for a unit of ours that cannot be read.
Result<std::vector<ScheduledPlan>> scheduled_plans(const std::string& directory);
// The content of the unit `name` in `directory`; nothing if there is none. refused if it is not ours.
Result<std::optional<std::string>> own_unit(const std::string& directory, const std::string& name);

// The newest runs of `plan` that were no rehearsals, in the order in which they began. `journal` may be null.
std::vector<ScheduledRun> runs_of(const Journal* journal, const std::string& plan);

// Where it is kept whom the schedules told.
std::string alarms_file(const std::string& state_directory);

}  // namespace kedge
