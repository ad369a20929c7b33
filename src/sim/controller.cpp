#include "sim/controller.h"

#include <algorithm>
#include <utility>

#include "sim/world/ground.h"

namespace kedge::sim {
namespace {

// A real controller looks into its inbox twenty times a second. Here it is told when something lies there, and these
// looks, which would find nothing, are left out; but for some, lest something be due of which nobody thought.
constexpr Span idle_most = 1s;

}  // namespace

Controller::Process::Process(World& world, const HostClock& clock_, ControlledRun run, Council council,
                             const std::vector<Slower>& slower, std::unique_ptr<MemoryJournal> journal_,
                             std::function<void()> wake)
    : clock(clock_),
      journal(std::move(journal_)),
      estate(std::move(run.estate)),
      executor(world.ground, clock, run.claim->epoch(), slower, std::move(wake)),
      runner(*journal, std::move(run.claim), Engine(std::move(run.state), std::move(council)), *estate, world.targets,
             executor, clock) {}

Controller::Controller(World& world, const Assignment& assignment) : world_(world), assignment_(assignment) {}

Controller::~Controller() = default;

Result<void> Controller::start() {
    auto journal = std::make_unique<MemoryJournal>(store_);
    const HostClock clock(world_.ground.schedule(), clock_error);
    ControlledRun run =
        TRY(start_run(*journal, *assignment_.pinned, assignment_.options, "the first controller", clock.now()));
    take(std::move(run), clock, std::move(journal));
    return {};
}

Result<void> Controller::resume() {
    auto journal = std::make_unique<MemoryJournal>(store_);
    const HostClock clock(world_.ground.schedule(), clock_error);
    ControlledRun run = TRY(resume_run(*journal, assignment_.options.id, "the next controller", assignment_.lab_root,
                                       clock.now(), assignment_.pinned.get()));
    take(std::move(run), clock, std::move(journal));
    return {};
}

void Controller::take(ControlledRun run, const HostClock& clock, std::unique_ptr<MemoryJournal> journal) {
    ++life_;
    const std::uint64_t life = life_;
    // A lab's own estate lets its people be played; in any other they come with their logins (people.h).
    Council council{.people = assignment_.estate().people, .lab = !assignment_.estate().lab.empty()};
    dead_.reset();
    process_ = std::make_shared<Process>(world_, clock, std::move(run), std::move(council), assignment_.slower,
                                         std::move(journal), [this, life] { turn(life); });
    process_->executor.before_answer = [this] {
        if (++answers_ != die_before_answer) return true;
        die();
        return false;
    };
    process_->runner.on_entry([this](const Entry& entry, const RunState& state) {
        if (on_entry) on_entry(entry, state);
    });
    wake_.reset();
    wake_at(world_.ground.now());
}

void Controller::wake_at(Moment when) {
    if (wake_ && *wake_ <= when) return;
    wake_ = when;
    world_.ground.schedule().at(when, [this, life = life_, when] {
        if (life != life_ || wake_ != when) return;
        wake_.reset();
        turn(life);
    });
}

void Controller::turn(std::uint64_t life) {
    if (life != life_ || !process_) return;
    Result<std::optional<Moment>> next = process_->runner.turn();
    if (!next) {
        die();
    } else if (!*next) {
        ended_ = true;
        process_->executor.end();
        dead_ = std::move(process_);
        ++life_;
    } else {
        const HostClock& clock = process_->clock;
        wake_at(clock.when(std::min(**next, clock.now() + idle_most)));
    }
    if (on_turn) on_turn();
}

Result<void> Controller::ask(const Request& request) {
    TRY(inbox_->ask(request));
    if (process_) wake_at(world_.ground.now() + Runner::inbox_period);
    return {};
}

void Controller::stall(Span span) {
    if (!process_ || stalled_) return;
    last_state_ = std::make_unique<RunState>(process_->runner.engine().state());
    dead_.reset();
    stalled_ = std::move(process_);
    ++life_;
    store_->lose_sign_of_life(assignment_.options.id);
    world_.ground.schedule().after(resumed_after.value_or(1s), [this, life_now = life_] {
        if (life_now == life_ && !process_ && !ended_) resume_or_give_up();
    });
    world_.ground.schedule().after(span, [this] {
        // It wakes and goes on where it was; the journal tells it that the run is another's, and it ends.
        if (const auto next = stalled_->runner.turn(); next && *next) (void)stalled_->runner.turn();
        std::shared_ptr<Process> dead = std::move(stalled_);
        world_.ground.schedule().after(Span{0}, [dead] {});
    });
}

void Controller::start_another() {
    MemoryJournal journal(store_);
    StartOptions options = assignment_.options;
    options.id = "r-second";
    // The first may have ended without the controller's having heard of it.
    const Result<std::vector<RunRecord>> before = journal.runs();
    const bool over = before && std::ranges::all_of(*before, &RunRecord::ended);
    const Result<ControlledRun> second =
        start_run(journal, *assignment_.pinned, options, "another controller", world_.ground.now());
    if (second && !second->state.plan().targets.empty() && !over) ++second_starts_;
}

void Controller::die(UnsyncedTail tail) {
    if (!process_) return;
    ++life_;
    ++deaths_;
    // The answer that kills it is still in the executor's hands: what dies goes at the next instant.
    world_.ground.schedule().after(Span{0}, [dead = process_] { dead->executor.end(); });
    dead_ = std::move(process_);
    for (const auto& database : world_.databases) database->stop_rejoins();
    world_.backups->work().forget();
    world_.recoveries->work().forget();
    crash_journal(tail);
    if (!resumed_after) return;
    world_.ground.schedule().after(*resumed_after, [this, life_now = life_] {
        if (life_now == life_ && !process_ && !ended_) resume_or_give_up();
    });
}

void Controller::crash_journal(UnsyncedTail tail) {
    store_->crash(tail);
    inbox_ = std::make_unique<MemoryJournal>(store_);
}

void Controller::resume_or_give_up() {
    const Result<void> again = resume();
    if (again) return;
    // A crash at the last append may have ended the run: then there is nothing to take up.
    trouble_ = again.error().message;
    ended_ = again.error().fault == Fault::refused;
    if (!ended_) return;
    Result<LoadedRun> run = load_run(*inbox_, assignment_.options.id, assignment_.lab_root, assignment_.pinned.get());
    if (!run) return;
    dead_.reset();
    last_state_ = std::make_unique<RunState>(std::move(run->state));
}

}  // namespace kedge::sim
