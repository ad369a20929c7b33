// The kinds of journal entries that a run is made of, and how the engine writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/run_state.h"

namespace kedge::events {

inline constexpr std::string_view run_started = "run.started";  // RunHeader
inline constexpr std::string_view run_claimed = "run.claimed";  // {controller}
inline constexpr std::string_view run_phase = "run.phase";      // {phase, says, result?, cancelling?}
inline constexpr std::string_view step_moved = "step";          // StepMove
inline constexpr std::string_view step_waits = "step.waits";    // {step, says}
inline constexpr std::string_view request_judged = "request";   // {id, step, who, verb, accepted, says, ...}

// One move of one step. Written by the engine, read back by RunState::fold.
struct StepMove {
    std::string step;
    StepState to{};
    Cause cause{};
    std::string says;
    std::optional<SharedJson> evidence;
    bool intent = false;                   // from here on the effect may happen
    WaitFor waits_for = WaitFor::nothing;  // with `waiting`
    std::string digest, asks;
};

Draft moved(const StepMove& move, Moment now);
// What keeps the step from going on, for those who look into the journal meanwhile. It moves nothing.
Draft waits(std::string_view step, std::string_view says, Moment now);
Draft claimed(std::string_view controller, Moment now);
Draft phase(RunPhase to, std::string_view says, Moment now, std::optional<RunResult> result = {},
            bool cancelling = false);

// The verdict on a request. `who` is empty when the asker is nobody in the estate.
Draft judged(const Request& request, std::string_view who, bool accepted, std::string_view says, Moment now);

}  // namespace kedge::events
