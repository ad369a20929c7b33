// What the judges know: the world as it truly is, and the journal as anybody could read it. Never the engine's memory.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/run_state.h"
#include "sim/world/world.h"

namespace kedge::sim {

// A step as the journal's entries tell it. Moments are the world's: the controllers' clocks may be wrong.
struct StepLine {
    StepState state = StepState::pending;
    std::optional<Moment> ready_at, succeeded_at;
    int intents = 0;
    int intents_since_person = 0;  // without those that ended with their controller
    Epoch intent_epoch = 0;
    std::optional<Epoch> undo_epoch;                      // of its newest taking back
    std::size_t completed = 0;                            // order of success
    bool acted = false;                                   // it had an intent in the attempt that ended it
    bool risk_taken = false;                              // people took the risk of what blocked it
    std::string digest;                                   // what people must have seen
    std::map<std::string, std::set<std::string>> grants;  // verb -> who, of the present wait
    std::map<std::string, std::set<std::string>> agreed;  // the same, of the wait that was granted
    SharedJson evidence = SharedJson::object();
};

// One entry that moved a step.
struct Move {
    std::size_t step = 0;
    StepState from{}, to{};
    Cause cause{};
    bool intent = false;
    Epoch epoch = 0;
    Moment at{};
};

// One entry that judged a request.
struct Verdict {
    std::optional<std::size_t> step;
    std::string who, verb, text, digest;
    bool accepted = false;
};

// Calls `take` for every acknowledged row that `old`, a server that was primary, holds and `candidate` does not.
template <class Take>
void each_row_lacking(const DatabaseModel& database, const DatabaseModel::Server& candidate,
                      const DatabaseModel::Server& old, const Take& take) {
    const Log& log = database.log();
    const Lsn shared = log.leads_to(candidate.held, old.held.branch) ? candidate.held.position
                                                                     : log.fork_of(old.held, candidate.held.branch);
    log.each(old.held, [&](const Record& record) {
        if (record.end > shared && record.acknowledged && record.kind == RecordKind::rows) take(record);
    });
}

// Calls `take` for every acknowledged row of the cache that a copy at `held` holds and one at `other` does not.
template <class Take>
void each_row_beyond(const Log& log, Point held, Point other, const Take& take) {
    std::set<std::int64_t> there;
    log.each(other, [&](const Record& record) {
        if (record.kind == RecordKind::rows) there.insert(record.first);
    });
    log.each(held, [&](const Record& record) {
        if (record.kind == RecordKind::rows && record.acknowledged && !there.contains(record.first)) take(record);
    });
}

// What was recovered of the cache and may be used; null if nothing was.
const CacheCopies::Copy* recovered_of(const World& world, const CacheModel& cache);

class Ledger {
public:
    // `plan` as the run has it, with its first step `start` if it has a gate. All outlive it.
    Ledger(const World& world, const BoundPlan& plan, const Estate& estate, std::string requester);

    const World& world() const { return world_; }
    const BoundPlan& plan() const { return plan_; }
    const Estate& estate() const { return estate_; }
    const std::string& requester() const { return requester_; }
    Moment now() const { return world_.ground.schedule().now(); }
    const StepLine& line(std::size_t step) const { return lines_[step]; }
    const BoundStep& bound(std::size_t step) const { return plan_.steps[step]; }
    std::size_t size() const { return lines_.size(); }
    RunPhase phase() const { return phase_; }
    const std::string& phase_says() const { return phase_says_; }
    bool past_no_return() const { return past_no_return_; }
    std::optional<Moment> ended_at() const { return ended_at_; }
    bool succeeded() const { return succeeded_; }
    Epoch epoch() const { return epoch_; }
    int stale_epochs() const { return stale_epochs_; }  // entries of a controller that another had followed
    const std::string& mode() const { return mode_; }
    // The digest of every request by its id, as it was asked: the verdict does not repeat it.
    const std::unordered_map<std::string, std::string>* digests = nullptr;

    // A step of this action, and in this region if one is named, that has succeeded or whose risk was taken.
    bool stands(std::string_view action, std::string_view region = {}) const;

    // A promotion that waits until the standby holds all up to where this run stopped the old primary.
    bool waits_for_the_end(std::size_t step) const;

    // Takes one entry in. What it was is told by one of the two.
    void take(const Entry& entry, const std::function<void(const Move&)>& moved,
              const std::function<void(const Verdict&)>& judged);

private:
    void take_move(const Entry& entry, const std::function<void(const Move&)>& moved);
    void take_verdict(const Entry& entry, const std::function<void(const Verdict&)>& judged);
    void apply(const Move& move, const Entry& entry);

    const World& world_;
    const BoundPlan& plan_;
    const Estate& estate_;
    std::string requester_;
    std::unordered_map<std::string, std::size_t> index_;
    std::vector<StepLine> lines_;
    RunPhase phase_ = RunPhase::running;
    std::string phase_says_, mode_;
    bool past_no_return_ = false, succeeded_ = false;
    std::optional<Moment> ended_at_;
    Epoch epoch_ = 0;
    int stale_epochs_ = 0;
    std::size_t completed_ = 0;
};

}  // namespace kedge::sim
