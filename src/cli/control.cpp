#include "cli/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/finding.h"
#include "cli/follow.h"
#include "cli/wiring.h"
#include "os/files.h"
#include "os/process.h"
#include "response/players.h"
#include "runner/runner.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Every step that may run side by side, and no more than a small machine bears.
constexpr std::size_t call_threads = 8;
constexpr Span child_deadline = 10s;

// The view of a run that another thread advances. Joined when it goes.
class AttachedView {
public:
    AttachedView(Context& context, const Journal& journal, RunState state)
        : state_(std::move(state)), thread_([this, &context, &journal](const std::stop_token& stop) {
              // What it cannot read it cannot show; the run does not depend on it.
              end_ = follow(context, journal, state_, {.attached = true, .stop = stop});
          }) {}

    // Lets it show what is in the journal now.
    void finish(bool run_has_ended) {
        if (!run_has_ended) thread_.request_stop();
        thread_.join();
    }

private:
    RunState state_;
    Result<FollowEnd> end_ = FollowEnd::stopped;
    std::jthread thread_;  // last: joined before what it uses goes
};

Error left_as_it_is(const RunId& id, const std::string& why) {
    return {Fault::unavailable, why, fmt::format("the run stays as it is: kedge run resume {}", id)};
}

}  // namespace

ExitCode control_run(Context& context, SqliteJournal& journal, ControlledRun run, const ControlOptions& options) {
    Console& console = context.console();
    const RunId id = run.state.id();
    const std::string what = fmt::format("run {} is not controlled any more", id);
    const Result<std::string> directory = find_state_directory(context);
    if (!directory) return console.fail(what, left_as_it_is(id, directory.error().message));
    const Result<Targets> targets = bind_targets(*run.estate, *directory);
    if (!targets) return console.fail(what, left_as_it_is(id, targets.error().message));
    Result<LoadedRun> shown = open_run(journal, id, lab_root());
    if (!shown) return console.fail(what, left_as_it_is(id, shown.error().message));

    const Clock& clock = context.around().clock;
    const Moment began = clock.now();
    context.around().catch_interrupt();
    AttachedView view(context, journal, std::move(shown->state));
    ThreadPool pool(call_threads);
    Players players(journal, *run.estate, {});
    Engine engine(std::move(run.state), {run.estate->people, !run.estate->lab.empty()});
    Runner runner(journal, std::move(run.claim), std::move(engine), *run.estate, *targets, pool, clock);
    std::optional<Error> trouble;
    const auto stop = [&] {
        if (options.plays_people && !trouble)
            if (const Result<void> played = players.play(runner.engine().state()); !played) trouble = played.error();
        return trouble || context.around().interrupted() ||
               (options.timeout && clock.now() - began >= *options.timeout);
    };
    const Result<void> done = run_to_end(runner, pool, clock, stop);
    const RunState& state = runner.engine().state();
    view.finish(state.phase() == RunPhase::ended);
    if (!done) trouble = done.error();
    if (trouble)
        return console.fail(what, Error{trouble->fault, trouble->message,
                                        fmt::format("the run stays as it is: kedge run resume {}", id)});
    if (state.phase() == RunPhase::ended) {
        conclude(context, state);
        return exit_code_of_run(state);
    }
    const bool interrupted = context.around().interrupted();
    console.note(fmt::format("run {} was not cancelled: nobody advances it until `kedge run resume {}`", id, id));
    conclude(context, state);
    return interrupted ? ExitCode::interrupted : exit_code_of_run(state);
}

Result<void> leave_to_child(const Context& context, const Journal& journal, const RunId& id, const std::string& log,
                            const ControlOptions& options) {
    Arguments arguments = {context.around().executable, "run", "resume", id, "--no-input"};
    if (options.plays_people) arguments.emplace_back("--play-people");
    arguments.insert(arguments.end(), {"--state", TRY(find_state_directory(context))});
    SpawnOptions spawn{.output = Redirect::append_to(log),
                       .errors = Redirect::append_to(log),
                       .own_session = true,
                       .die_with_parent = false};
    // Secrets that the estate refers to as env:NAME must reach it.
    for (const auto& [name, value] : context.around().environment)
        spawn.environment.push_back(fmt::format("{}={}", name, value));
    TRY(make_directories(log.substr(0, log.rfind('/'))));
    Child child = TRY(Child::spawn(arguments, spawn).within("cannot start a controller"));
    const Until until = within(child_deadline);
    while (context.around().clock.now() < until.deadline) {
        const std::vector<RunRecord> runs = TRY(journal.runs());
        const auto record = std::ranges::find(runs, id, &RunRecord::id);
        if (record != runs.end() && (record->ended || record->controller)) {
            child.release();
            return {};
        }
        if (child.wait(within(50ms)))
            return Error{Fault::unavailable, "the controller ended before it had claimed the run",
                         fmt::format("see {}, then `kedge run resume {}`", log, id)};
    }
    return Error{Fault::outcome_unknown, "the controller did not claim the run in time",
                 fmt::format("see {} and `kedge run show {}`", log, id)};
}

}  // namespace kedge
