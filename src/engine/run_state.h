// What a run has come to: the fold of its journal entries, and nothing else.
//
// Folding the same entries gives the same state on any controller. An entry that no legal move explains is
// Fault::corrupt: the journal was written by something else, or damaged.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/step_state.h"
#include "journal/journal.h"
#include "plan/plan.h"

namespace kedge {

enum class Mode { live, drill, rehearse };
std::string_view to_string(Mode mode);
std::optional<Mode> parse_mode(std::string_view text);

enum class RunPhase {
    running,       // forward
    paused,        // by a person: nothing new begins
    holding,       // something needs a person: nothing new begins, what runs settles; goes on where it held
    compensating,  // backward
    finishing,     // the `always` steps
    ended,
};
std::string_view to_string(RunPhase phase);

enum class RunResult {
    succeeded,
    compensated,  // failed, the world is as before
    failed,       // failed, and not everything could be taken back
    cancelled,
};
std::string_view to_string(RunResult result);

enum class WaitFor { nothing, gate, waiver, person };
std::string_view to_string(WaitFor what);

struct Grant {
    std::string who;      // person of the estate
    std::string verb;     // approve, confirm, waive, done
    bool played = false;  // by the lab, for a person of its own
    Moment at{};
};

struct StepRecord {
    StepState state = StepState::pending;
    Cause cause = Cause::needs_met;
    std::string says;                            // of the last move, or what it waited for since
    SharedJson evidence = SharedJson::object();  // of the last look that mattered; kept for the steps after it
    int attempt = 0;                             // of the effect: how many intents there were
    int cut_short = 0;      // attempts that ended with their controller, and say nothing about the target
    bool intended = false;  // an intent of the present attempt is in the journal
    std::optional<Moment> ready_at, started_at, intended_at, ended_at;
    std::size_t completed = 0;  // order of success, from 1; what compensation reverses

    WaitFor waits_for = WaitFor::nothing;
    std::string digest;  // what those who decide must have seen
    std::string asks;    // what is asked of them, with the figures
    std::optional<Moment> waiting_since;
    std::vector<Grant> grants;           // given since it began to wait
    std::vector<std::string> waived_by;  // who took the risk; not empty only once granted
    bool gate_passed = false;
    std::optional<Moment> granted_at;  // when gate or waiver was granted last
    std::string taken_over_by;         // who answers for what could not be taken back
};

struct OpenObligation {
    std::string name;
    std::string target, region;  // region empty if owed for the target as a whole
    std::string says;
    std::string step;  // that opened it
    Moment since{};
    std::string owner;  // person who took it over; empty = the run
};

// All that a run is started with; pinned in its first entry.
struct RunHeader {
    std::string plan_text, plan_digest;
    std::string estate_text, estate_digest;
    std::map<std::string, std::string> inputs;
    std::string inputs_digest;
    Mode mode = Mode::live;
    std::string requester;  // person of the estate
    std::string reason;
    std::string confirmed;  // what the requester typed for the plan's gate
    bool played = false;    // the requester is played by the lab
    std::string drill;      // id of the drill that started it; may be empty
};

// Adds what was found to what had been found before, name by name. What is no object says nothing.
void add_evidence(SharedJson& evidence, const SharedJson& found);
// The same of what `entry`, a move of a step, says.
void add_evidence(SharedJson& evidence, const Entry& entry);

Draft started(const RunHeader& header, Moment now);
Result<RunHeader> read_header(const Entry& first);

// A bound plan as its runs follow it. Does not change, so that any number of runs, in any threads, share one.
struct Course {
    // `catalogue` is the one it was bound with and outlives this. A plan with a gate gets a first step `start` that
    // waits at it.
    Course(BoundPlan plan, Catalogue catalogue);

    BoundPlan plan;
    std::unordered_map<std::string, std::size_t> index;  // of a step, by its id
    std::vector<std::vector<std::size_t>> dependents;
    std::vector<std::size_t> needs;       // how many a step has
    std::vector<const ActionType*> undo;  // null where nothing takes the step back
    std::size_t first_always = 0;
};

class RunState {
public:
    // `course` must be what the header's texts and inputs bind to.
    RunState(RunId id, std::shared_ptr<const Course> course);
    RunState(RunId id, BoundPlan plan, Catalogue catalogue);

    // Folds one entry. corrupt if no legal move explains it.
    Result<void> fold(const Entry& entry);

    const RunId& id() const { return id_; }
    const BoundPlan& plan() const { return course_->plan; }
    const std::shared_ptr<const Course>& course() const { return course_; }
    const RunHeader& header() const { return *header_; }
    RunPhase phase() const { return phase_; }
    const std::string& phase_says() const { return phase_says_; }
    bool cancelling() const { return cancelling_; }
    std::optional<RunResult> result() const { return result_; }
    Epoch epoch() const { return epoch_; }
    Position last() const { return last_; }
    Moment started_at() const { return started_at_; }
    std::optional<Moment> ended_at() const { return ended_at_; }
    bool past_no_return() const { return past_no_return_; }
    // In which phase the run was when it began to hold or was paused.
    RunPhase before_hold() const { return before_hold_; }

    std::size_t size() const { return course_->plan.steps.size(); }
    std::size_t first_always() const { return course_->first_always; }  // `always` steps stand last
    const BoundStep& bound(std::size_t index) const { return course_->plan.steps[index]; }
    const StepRecord& record(std::size_t index) const { return records_[index]; }
    std::optional<std::size_t> find(std::string_view step) const;
    // The action that takes the step back, or null.
    const ActionType* undo_of(std::size_t index) const { return course_->undo[index]; }
    const std::vector<std::size_t>& dependents(std::size_t index) const { return course_->dependents[index]; }
    std::size_t unmet_needs(std::size_t index) const { return unmet_[index]; }
    std::size_t unsettled() const { return unsettled_; }  // main steps that may still move by themselves
    std::size_t not_begun() const { return not_begun_; }  // main steps that are pending, ready or waiting
    std::size_t held_up() const { return held_up_; }      // main steps that are pending and need others first
    const std::set<std::size_t>& failed() const { return failed_; }  // main steps that do not let the others go on
    const std::set<std::size_t>& unknown() const { return unknown_; }
    // Steps that could not be taken back and that nobody answers for.
    const std::set<std::size_t>& stuck() const { return stuck_; }
    // The main step that is to be taken back next: of those that may have had an effect and have an undo, one that
    // failed, else the one that succeeded last.
    std::optional<std::size_t> newest_effect() const;

    // Open ones, in the order they were opened.
    const std::vector<OpenObligation>& obligations() const { return obligations_; }

private:
    Result<void> fold_step(const Entry& entry);
    Result<void> fold_running(const BoundStep& step, StepRecord& record, Cause cause, const Entry& entry);
    Result<void> fold_waiting(StepRecord& record, const Entry& entry);
    void fold_ready(StepRecord& record, StepState from, Moment time);
    Result<void> fold_phase(const Entry& entry);
    Result<void> fold_request(const Entry& entry);
    bool is_held_up(std::size_t index) const;
    void sort_in(std::size_t index);  // into the sets below, by what its record says now
    void fold_obligations(const BoundStep& step, Moment time);
    void pay(const std::string& name, const std::string& target, const std::string& region);

    RunId id_;
    std::shared_ptr<const Course> course_;
    std::shared_ptr<const RunHeader> header_ = std::make_shared<const RunHeader>();  // copies of the state share it
    std::vector<StepRecord> records_;
    std::vector<std::size_t> unmet_;
    std::size_t unsettled_ = 0, not_begun_ = 0, held_up_ = 0;
    std::size_t completed_ = 0;
    std::set<std::size_t> failed_, unknown_, stuck_;
    std::set<std::pair<std::size_t, std::size_t>> effects_;  // order of completion, step
    RunPhase phase_ = RunPhase::running, before_hold_ = RunPhase::running;
    std::string phase_says_;
    bool cancelling_ = false;
    bool past_no_return_ = false;
    std::optional<RunResult> result_;
    Epoch epoch_ = 0;
    Position last_ = 0;
    Moment started_at_{};
    std::optional<Moment> ended_at_;
    std::vector<OpenObligation> obligations_;
};

}  // namespace kedge
