// Beginning a run, taking one up again, and reading what one has come to.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "estate/estate.h"
#include "journal/journal.h"
#include "plan/plan.h"

namespace kedge {

// A run as the journal tells it. `estate` is the one that was pinned when it began, not today's file.
struct LoadedRun {
    std::shared_ptr<const Estate> estate;
    RunState state;
};

// What the first entry of a run pins, read and bound. Does not change, so that any number of runs may share one.
struct Pinned {
    std::string plan_text;
    std::shared_ptr<const Estate> estate;
    std::shared_ptr<const Course> course;
};
// Binds `plan` to `estate`; the error names every mistake.
Result<Pinned> pin(const Plan& plan, const std::map<std::string, std::string>& inputs, Estate estate);

// Folds run `id`. not_found for an unknown one; corrupt if its entries cannot be true. `lab_root` as for parse_estate.
// What the run has pinned is not read again if it is, letter by letter, what `known` was made of; then `lab_root` is
// not used.
Result<LoadedRun> load_run(const Journal& journal, const RunId& id, const std::string& lab_root,
                           const Pinned* known = nullptr);

// The same, folded no further than its first entry: for those who follow it entry by entry.
Result<LoadedRun> open_run(const Journal& journal, const RunId& id, const std::string& lab_root);

struct StartOptions {
    std::map<std::string, std::string> inputs;
    Mode mode = Mode::live;
    std::string requester;  // person of the estate
    std::string reason;
    std::string confirm;  // what the requester typed, if the plan asks for it
    bool played = false;  // the requester is played by the lab
    std::string drill;    // id of the drill that starts it
    RunId id;             // empty = a new one, of chance
};

// A run that this process controls. Feed it to a Runner.
struct ControlledRun {
    std::shared_ptr<const Estate> estate;
    std::unique_ptr<Claim> claim;
    RunState state;
};

// Binds `plan` to `estate` and begins the run, claimed by this process. refused if a target that it changes is not
// armed, or the typed confirmation is wrong; conflict if a target is held by another run. Nothing is changed then.
// A rehearsal holds no targets and needs none armed.
Result<ControlledRun> start_run(Journal& journal, const Plan& plan, const Estate& estate, const StartOptions& options,
                                const std::string& controller, Moment now);
// The same, of what is bound already; its inputs stand for those of `options`.
Result<ControlledRun> start_run(Journal& journal, const Pinned& pinned, const StartOptions& options,
                                const std::string& controller, Moment now);

// Takes an unfinished run over with a higher epoch. conflict while its controller lives. `known` as for load_run.
Result<ControlledRun> resume_run(Journal& journal, const RunId& id, const std::string& controller,
                                 const std::string& lab_root, Moment now, const Pinned* known = nullptr);

// "pid 4711 on db-7"
std::string controller_name();
// A short id that no run of this journal has: "r-7k2f9c".
Result<RunId> new_run_id(const Journal& journal, std::string_view prefix);

}  // namespace kedge
