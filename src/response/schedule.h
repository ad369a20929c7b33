// Plans that run by themselves at fixed times: when one is due, and how it stands by what the journal says of it.
//
// Times are UTC, as the runbook's are: no hour is skipped or comes twice. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace kedge {

// Every day, or one day of the week, at a time of day.
struct Occasion {
    std::optional<std::chrono::weekday> day;
    std::chrono::minutes time{};  // since midnight, UTC

    // The last one at or before `now`, and the first one after it.
    Moment last(Moment now) const;
    Moment next(Moment now) const;
};

// "06:00" or "Sun 04:00"; invalid_input for anything else.
Result<Occasion> parse_occasion(std::string_view text);
std::string to_string(const Occasion& occasion);
// As systemd.time(7) has it: "Sun *-*-* 04:00:00 UTC".
std::string on_calendar(const Occasion& occasion);
// When the runbook has its verifications run; nothing for any other plan.
std::optional<Occasion> usual_occasion(std::string_view plan);

struct Schedule {
    std::string plan;
    Occasion at;
    Span spread{};   // it begins up to so much later, so that not everything begins at once
    Span limit{};    // so long it may take until it is overdue
    Moment since{};  // an occasion before this is not owed
};

// One run of the plan, as the journal has it.
struct ScheduledRun {
    std::string id;
    Moment started{};
    std::optional<Moment> ended;
    bool succeeded = false;
    std::string says;         // how it ended
    bool is_recorded = true;  // no: it was refused before it began, and the journal knows nothing of it
};

enum class DueState {
    waiting,  // nothing was due yet
    due,      // it may still begin, or has begun and may still succeed
    done,     // the newest run that ended since it was last due succeeded
    failed,   // the newest run since it was last due failed
    overdue,  // none has ended well, and the time for it is over
};
std::string_view to_string(DueState standing);

struct ScheduleLook {
    DueState standing = DueState::waiting;
    std::optional<Moment> last_due;  // nothing if none was yet
    Moment next_due{};
    std::optional<ScheduledRun> newest;   // of any time
    std::optional<ScheduledRun> success;  // the newest one
    std::string says;                     // one sentence
};

// `runs` in the order in which they began; rehearsals are none.
ScheduleLook look_at_schedule(const Schedule& schedule, const std::vector<ScheduledRun>& runs, Moment now);

}  // namespace kedge
