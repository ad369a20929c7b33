#include "cli/follow.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/run_view.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Often enough to look alive, and never more redraws than ten a second.
constexpr Span follow_period = 100ms;
constexpr Span heartbeat_period = 30s;
// A controller that is taken over from is nobody's for a moment.
constexpr Span handover_grace = 3s;
constexpr Span controller_period = 1s;

// Lines that are written over each other. The cursor stands below them.
class LiveScreen {
public:
    void draw(Console& console, const std::vector<std::string>& lines) {
        std::string out;
        if (const std::size_t up = rows_used(console.out().columns); up > 0) out += fmt::format("\x1b[{}A", up);
        out += "\r";
        for (const std::string& line : lines) out += line + "\x1b[K\n";
        out += "\x1b[J";
        console.print(out);
        console.flush();
        drawn_ = lines.size();
        columns_ = console.out().columns;
    }

private:
    // A window that became narrower has broken the lines that were there.
    std::size_t rows_used(std::size_t columns) const {
        return columns == 0 || columns >= columns_ ? drawn_ : drawn_ * ((columns_ + columns - 1) / columns);
    }

    std::size_t drawn_ = 0, columns_ = 0;
};

class Follower {
public:
    Follower(Context& context, const Journal& journal, RunState& state, const FollowOptions& options)
        : context_(context), console_(context.console()), journal_(journal), state_(state), options_(options) {}

    Result<FollowEnd> run() {
        const Moment began = context_.now();
        last_shown_ = began;
        if (console_.json()) console_.print_record({{"type", "hello"}, {"schema", "1.0"}, {"run", state_.id()}});
        while (true) {
            TRY(take_in());
            if (state_.phase() == RunPhase::ended) {
                show(true);
                return FollowEnd::ended;
            }
            show(false);
            if (!options_.attached && context_.around().interrupted()) return FollowEnd::interrupted;
            if (options_.stop.stop_requested()) return FollowEnd::stopped;
            if (!console_.is_read() && !options_.attached) return FollowEnd::interrupted;
            if (options_.timeout && context_.now() - began >= *options_.timeout) return FollowEnd::timed_out;
            if (!options_.attached && TRY(is_orphaned())) return FollowEnd::no_controller;
            wait_out(within(follow_period, options_.stop));
        }
    }

private:
    Result<void> take_in() {
        for (const Entry& entry : TRY(journal_.read(state_.id(), state_.last()))) {
            TRY(state_.fold(entry));
            changed_ = true;
            if (console_.json()) {
                print_record(entry);
            } else if (!console_.out().interactive) {
                if (const auto line = change_line(state_, entry)) console_.print_line(*line);
            }
        }
        return {};
    }

    void print_record(const Entry& entry) {
        Json body = entry.body;
        body.erase("plan_text");
        body.erase("estate_text");
        console_.print_record({{"type", "entry"},
                               {"position", entry.position},
                               {"run", entry.run},
                               {"time", to_string(entry.time)},
                               {"kind", entry.kind},
                               {"body", std::move(body)}});
    }

    void show(bool last) {
        const Moment now = context_.now();
        if (!console_.out().interactive || console_.json()) {
            if (changed_) last_shown_ = now;
            if (now - last_shown_ >= heartbeat_period && !console_.quiet() && !console_.json()) {
                console_.print_line(fmt::format("{} {} {} for {}", to_string(now), state_.id(),
                                                to_string(state_.phase()), readable(now - state_.started_at())));
                last_shown_ = now;
            }
            if (changed_) console_.flush();
            changed_ = false;
            return;
        }
        const std::size_t columns = console_.out().columns, rows = console_.out().rows;
        console_.measure();
        const bool resized = columns != console_.out().columns || rows != console_.out().rows;
        // The clock in the picture ticks too.
        if (!changed_ && !resized && !last && now - last_shown_ < 1s) return;
        screen_.draw(console_, live_view(state_, console_.out(), now));
        last_shown_ = now;
        changed_ = false;
    }

    Result<bool> is_orphaned() {
        const Moment now = context_.now();
        if (now < next_look_at_controller_) return false;
        next_look_at_controller_ = now + controller_period;
        const std::vector<RunRecord> runs = TRY(journal_.runs());
        const auto record = std::ranges::find(runs, state_.id(), &RunRecord::id);
        if (record != runs.end() && record->controller) {
            orphaned_since_.reset();
            return false;
        }
        if (!orphaned_since_) orphaned_since_ = now;
        return now - *orphaned_since_ >= handover_grace;
    }

    Context& context_;
    Console& console_;
    const Journal& journal_;
    RunState& state_;
    const FollowOptions& options_;
    LiveScreen screen_;
    bool changed_ = true;
    Moment last_shown_{};
    Moment next_look_at_controller_{};
    std::optional<Moment> orphaned_since_;
};

bool changed_something(const RunState& state) {
    for (std::size_t i = 0; i < state.size(); ++i)
        if (state.record(i).attempt > 0) return true;
    return false;
}

// What went wrong first, for people.
std::string first_failure(const RunState& state) {
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepState step = state.record(i).state;
        if (step == StepState::failed || step == StepState::compensation_failed || step == StepState::unknown)
            return fmt::format("step {}: {}", state.bound(i).id, state.record(i).says);
    }
    return state.phase_says();
}

}  // namespace

Result<FollowEnd> follow(Context& context, const Journal& journal, RunState& state, const FollowOptions& options) {
    return Follower(context, journal, state, options).run();
}

ExitCode exit_code_of_run(const RunState& state) {
    if (!state.result()) {
        for (std::size_t i = 0; i < state.size(); ++i)
            if (state.record(i).state == StepState::unknown) return ExitCode::outcome_unknown;
        return state.phase() == RunPhase::holding ? ExitCode::not_compensated : ExitCode::timed_out;
    }
    switch (*state.result()) {
        case RunResult::succeeded: return ExitCode::ok;
        case RunResult::cancelled: return ExitCode::compensated;
        case RunResult::compensated: return changed_something(state) ? ExitCode::compensated : ExitCode::refused;
        case RunResult::failed: return ExitCode::not_compensated;
    }
    return ExitCode::failed;
}

void conclude(Context& context, const RunState& state) {
    Console& console = context.console();
    if (console.json()) return;
    const Surface& surface = console.errors();
    const Mark mark = mark_of(state.phase(), state.result());
    const Span took = state.ended_at().value_or(context.now()) - state.started_at();
    console.note(painted(fmt::format("{} {} {}: {} after {}", glyph(mark, surface), state.id(), state.plan().name,
                                     mark.word, readable(took)),
                         mark.tone, surface));
    if (state.result() != RunResult::succeeded) {
        console.note("  " + printable(first_failure(state)));
        if (exit_code_of_run(state) == ExitCode::refused) console.note("  nothing was changed");
    }
    for (const OpenObligation& owed : state.obligations())
        console.note("  owed: " + printable(owed.says) +
                     (owed.owner.empty() ? "" : fmt::format(" (taken over by {})", owed.owner)));
    for (const std::size_t step : steps_for_people(state)) console.note("  " + answer_command(state, step));
    console.note(fmt::format("  kedge run {} {}", state.result() ? "report" : "show", state.id()));
}

}  // namespace kedge
