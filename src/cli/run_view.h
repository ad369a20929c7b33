// A run as people and programs see it: lines, tables and JSON from its state. Reads no clock, no journal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/look.h"
#include "engine/run_state.h"

namespace kedge {

// Drills are journalled beside runs, under ids that begin with "d-", and are no runs themselves.
inline bool is_drill(const RunId& id) {
    return id.starts_with("d-");
}

// Everything about a run. `controller` is who holds it now, if anybody does.
Json run_json(const RunState& state, const std::optional<std::string>& controller);
Json step_json(const RunState& state, std::size_t step);
Json obligation_json(const OpenObligation& owed);

// How long the step took, or has taken until `now`; waiting for people before it began is left out. Nothing if it
// has not begun.
std::optional<Span> time_taken(const StepRecord& record, Moment now);

// What a waiting step still needs: "1 of 2 approvals", "the typed confirmation", "2 people to take the risk".
std::string still_needed(const RunState& state, std::size_t step);
// The command that would answer it: "kedge run approve r-7k2f9c promote".
std::string answer_command(const RunState& state, std::size_t step);
// The steps that wait for people, or whose outcome is unknown.
std::vector<std::size_t> steps_for_people(const RunState& state);

// "postgres.promote aragora-postgres@us-west-2", or what a person is asked to do.
std::string doing(const BoundStep& step);

// One line a change, as a log: nothing for an entry that only programs want to see. `state` has folded it.
std::optional<std::string> change_line(const RunState& state, const Entry& entry);

// The run on a terminal, at most `surface.rows` - 1 lines, none wider than `surface.columns`.
std::vector<std::string> live_view(const RunState& state, const Surface& surface, Moment now);

}  // namespace kedge
