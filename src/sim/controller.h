// The process that drives a run in the simulated world: shipped journal contract, engine, runner and actions. It can
// die at any boundary, and another takes the run up; what it had in memory is gone then, the world is not.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/memory/memory_journal.h"
#include "runner/runner.h"
#include "runner/runs.h"
#include "sim/executor.h"
#include "sim/world/world.h"

namespace kedge::sim {

// What a run is made of, read and bound once for any number of disasters.
struct Assignment {
    std::shared_ptr<const Pinned> pinned;
    std::string lab_root;
    StartOptions options;             // id included: a run of chance could not be repeated
    std::vector<Slower> slower = {};  // as past runs measured the steps, by their places; empty = none does

    const Estate& estate() const { return *pinned->estate; }
    const BoundPlan& plan() const { return pinned->course->plan; }  // as its runs have it
};

class Controller {
public:
    Controller(World& world, const Assignment& assignment);
    ~Controller();

    Result<void> start();
    // Dies now. Calls that are out may still arrive; `tail` is what becomes of a write in doubt.
    void die(UnsyncedTail tail = UnsyncedTail::dropped);
    // The machine of the journal crashes; whoever had it open must open it anew.
    void crash_journal(UnsyncedTail tail = UnsyncedTail::dropped);
    bool is_alive() const { return process_ != nullptr; }
    // Takes the run up again, as `kedge run resume` does.
    Result<void> resume();

    // The process stops for so long without dying; nobody sees a sign of life, and another takes the run up. When it
    // wakes it still believes that the run is its own.
    void stall(Span span);
    // Somebody starts the same plan a second time. The targets are held: it must be refused.
    void start_another();
    int second_starts() const { return second_starts_; }  // that were not refused

    MemoryStore& store() { return *store_; }
    // The run as the living controller has it; with none, as the last one had it.
    const RunState* state() const {
        const Process* one = process_ ? process_.get() : dead_.get();
        return one != nullptr ? &one->runner.engine().state() : last_state_.get();
    }
    bool has_ended() const { return ended_; }
    int deaths() const { return deaths_; }
    std::uint64_t answers() const { return answers_; }

    // Of the machines on which controllers start from now on.
    ClockError clock_error;
    // How long after a death somebody resumes; nothing = nobody does.
    std::optional<Span> resumed_after = 1s;
    // The n-th answer of the world is not received: the controller dies of it. 0 = none.
    std::uint64_t die_before_answer = 0;
    // Called after every entry that was made durable.
    std::function<void(const Entry&, const RunState&)> on_entry;
    // Called after the controller has turned, whatever came of it.
    std::function<void()> on_turn;
    const std::string& trouble() const { return trouble_; }  // why a resume failed; empty = none did
    // A person asks, from another process. The controller, if one lives, comes to it in its time.
    Result<void> ask(const Request& request);

private:
    struct Process {
        Process(World& world, const HostClock& clock_, ControlledRun run, Council council,
                const std::vector<Slower>& slower, std::unique_ptr<MemoryJournal> journal_, std::function<void()> wake);
        HostClock clock;
        std::unique_ptr<MemoryJournal> journal;
        std::shared_ptr<const Estate> estate;
        VirtualExecutor executor;
        Runner runner;
    };
    void resume_or_give_up();
    void take(ControlledRun run, const HostClock& clock, std::unique_ptr<MemoryJournal> journal);
    void turn(std::uint64_t life);
    void wake_at(Moment when);

    World& world_;
    const Assignment& assignment_;
    std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
    std::unique_ptr<MemoryJournal> inbox_ = std::make_unique<MemoryJournal>(store_);
    std::shared_ptr<Process> process_;
    std::shared_ptr<Process> dead_;  // the one before, if it died or its run has ended: for what it knew
    std::shared_ptr<Process> stalled_;
    std::unique_ptr<RunState> last_state_;  // without one that died: what the last one knew
    int second_starts_ = 0;
    bool ended_ = false;
    int deaths_ = 0;
    std::uint64_t life_ = 0, answers_ = 0;
    std::optional<Moment> wake_;
    std::string trouble_;
};

}  // namespace kedge::sim
