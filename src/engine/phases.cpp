// Where the run goes as a whole: forward, holding for a person, backward, to its end.

#include <fmt/format.h>

#include <algorithm>

#include "engine/engine.h"
#include "engine/events.h"

namespace kedge {

void Engine::decide_phase(Moment now, Decision& out) {
    const RunPhase phase = state_.phase();
    if (phase == RunPhase::running || phase == RunPhase::holding) take_back_for_failed(now, out);
    switch (phase) {
        case RunPhase::running: decide_forward(now, out); break;
        case RunPhase::compensating: decide_compensation(now, out); break;
        case RunPhase::finishing: decide_finish(now, out); break;
        case RunPhase::holding:
            if (out.record.empty()) decide_hold(now, out);
            break;
        case RunPhase::paused:
        case RunPhase::ended: break;
    }
}

// A failure turns the run around, unless it is past the point of no return or the plan says what to take back.
bool Engine::turns_back(std::size_t failed) const {
    return !state_.past_no_return() && state_.bound(failed).undo_on_failure.empty();
}

void Engine::decide_forward(Moment now, Decision& out) {
    for (const std::size_t step : state_.failed())
        if (turns_back(step)) {
            out.record.push_back(
                events::phase(RunPhase::compensating,
                              fmt::format("step {} failed: {}", state_.bound(step).id, state_.record(step).says), now));
            return;
        }
    if (const std::string why = why_hold(RunPhase::running, now); !why.empty())
        out.record.push_back(events::phase(RunPhase::holding, why, now));
    else if (state_.unsettled() == 0)
        out.record.push_back(events::phase(RunPhase::finishing, "every step is done", now));
}

// It goes on where it held once its cause is gone; another cause is told.
void Engine::decide_hold(Moment now, Decision& out) {
    const std::string why = why_hold(state_.before_hold(), now);
    if (why.empty())
        out.record.push_back(events::phase(state_.before_hold(), "nothing is left that needs a person", now));
    else if (why != state_.phase_says())
        out.record.push_back(events::phase(RunPhase::holding, why, now));
}

// Backward: what has not begun is cancelled, what is out is awaited, then the newest effect is taken back first.
void Engine::decide_compensation(Moment now, Decision& out) {
    if (state_.not_begun() > 0) {
        for (std::size_t i = 0; i < state_.first_always(); ++i) {
            const StepRecord& record = state_.record(i);
            const bool tried = record.attempt > 0;  // part of the effect may be there: it is taken back like a failure
            if (record.state == StepState::pending ||
                (!tried && (record.state == StepState::ready || record.state == StepState::waiting))) {
                move(i, StepState::cancelled, Cause::cancelled, record.state == StepState::ready ? record.says : "",
                     now, out);
            } else if (record.state == StepState::ready) {
                move(i, StepState::running, Cause::refused, "", now, out);
                move(i, StepState::failed, Cause::refused, "the run turned back before it was tried again", now, out);
            } else if (record.state == StepState::waiting) {
                move(i, StepState::failed, Cause::cancelled, "", now, out);
            }
        }
        return;
    }
    if (const std::string why = why_hold(RunPhase::compensating, now); !why.empty())
        return out.record.push_back(events::phase(RunPhase::holding, why, now));
    if (state_.unsettled() > 0) return;
    const std::optional<std::size_t> newest = state_.newest_effect();
    if (state_.past_no_return())
        out.record.push_back(
            events::phase(RunPhase::finishing, "past the point of no return nothing is taken back", now));
    else if (newest)
        move(*newest, StepState::compensating, Cause::undo_begins, state_.phase_says(), now, out);
    else
        out.record.push_back(events::phase(RunPhase::finishing, "nothing is left to take back", now));
}

// The `always` steps, and then the end, unless something is still owed that nobody took over.
void Engine::decide_finish(Moment now, Decision& out) {
    if (const std::string why = why_hold(RunPhase::finishing, now); !why.empty())
        return out.record.push_back(events::phase(RunPhase::holding, why, now));
    if (always_settled()) {
        out.record.push_back(events::phase(RunPhase::ended, "", now, result()));
        out.ends = Ends::yes;
        return;
    }
    for (std::size_t i = state_.first_always(); i < state_.size(); ++i) {
        if (is_settled(state_.record(i).state)) continue;
        if (state_.record(i).state == StepState::pending && state_.unmet_needs(i) > 0)
            move(i, StepState::cancelled, Cause::cancelled, "what it needs was not done", now, out);
        return;
    }
}

// Steps that the plan takes back when another fails, the newest first, while the run holds.
void Engine::take_back_for_failed(Moment now, Decision& out) {
    for (const std::size_t failed : state_.failed()) {
        std::optional<std::size_t> newest;
        for (const std::string& id : state_.bound(failed).undo_on_failure) {
            const std::size_t other = *state_.find(id);
            const StepRecord& record = state_.record(other);
            if (record.state == StepState::compensating) return;
            if (record.state != StepState::succeeded || record.attempt == 0 || state_.undo_of(other) == nullptr)
                continue;
            if (!newest || record.completed > state_.record(*newest).completed) newest = other;
        }
        if (newest)
            return move(*newest, StepState::compensating, Cause::undo_begins,
                        fmt::format("step {} failed: {}", state_.bound(failed).id, state_.record(failed).says), now,
                        out);
    }
}

std::string Engine::why_hold(RunPhase phase, Moment now) const {
    std::string why = why_backward_stuck();
    if (why.empty()) why = why_unknown(now);
    if (!why.empty()) return why;
    switch (phase) {
        case RunPhase::running:
            for (const std::size_t step : state_.failed())
                if (!turns_back(step))
                    return fmt::format("step {} failed: {}", state_.bound(step).id, state_.record(step).says);
            if (state_.unsettled() > 0 && state_.unsettled() == state_.held_up())
                return "what the remaining steps need was taken back or left out";
            return {};
        case RunPhase::finishing: return always_settled() ? why_owed() : "";
        case RunPhase::compensating:
        case RunPhase::paused:
        case RunPhase::holding:
        case RunPhase::ended: return {};
    }
    return {};
}

std::string Engine::why_backward_stuck() const {
    for (const std::size_t step : state_.stuck())
        return fmt::format("step {} could not be taken back: {}", state_.bound(step).id, state_.record(step).says);
    return {};
}

// A run that holds goes on only when no outcome is unknown any more, whichever step it held for.
std::string Engine::why_unknown(Moment now) const {
    for (const std::size_t step : state_.unknown()) {
        const BoundStep& bound = state_.bound(step);
        const Flight& flight = flights_[step];
        if (state_.phase() != RunPhase::holding && (!flight.since || now < *flight.since + bound.deadline)) continue;
        return fmt::format(
            "step {}: nobody knows whether it happened; look and say: kedge run resolve {} {} --as done (or not-done)",
            bound.id, state_.id(), bound.id);
    }
    return {};
}

std::string Engine::why_owed() const {
    std::string owed;
    for (const OpenObligation& open : state_.obligations())
        if (open.owner.empty()) owed += (owed.empty() ? "" : "; ") + open.says;
    return owed.empty() ? "" : "owed until a person takes it over by name: " + owed;
}

bool Engine::always_settled() const {
    for (std::size_t i = state_.first_always(); i < state_.size(); ++i)
        if (!is_settled(state_.record(i).state)) return false;
    return true;
}

RunResult Engine::result() const {
    bool done = true, taken_back = true;
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepState step = state_.record(i).state;
        const bool ignored = step == StepState::failed && state_.bound(i).if_failed == IfFailed::ignore;
        const bool fine = is_done(step) || ignored;
        done = done && fine;
        if (step == StepState::compensation_failed || (state_.bound(i).always && !fine)) taken_back = false;
    }
    if (done) return RunResult::succeeded;
    if (!taken_back || state_.past_no_return() || !state_.obligations().empty()) return RunResult::failed;
    return state_.cancelling() ? RunResult::cancelled : RunResult::compensated;
}

}  // namespace kedge
