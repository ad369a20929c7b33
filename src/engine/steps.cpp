// What a step does next, by the state that it is in.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "engine/engine.h"
#include "engine/events.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// A request whose answer was lost may still arrive: "it is not there" counts only after so long.
constexpr Span late_effect_limit = 1s;
// How many people it takes to accept a danger in writing, and for how long their word stands.
constexpr std::size_t waiver_quorum = 2;
constexpr Span waiver_expires = 30min;
// A steady condition that could not be seen for so long is not known to have held all the while.
constexpr Span steady_gap_limit = 10s;
// A step that is tried again waits for those that are done again with it, and asks so often.
constexpr Span redo_poll = 250ms;

}  // namespace

void Engine::decide_step(std::size_t step, Moment now, Decision& out) {
    switch (state_.record(step).state) {
        case StepState::pending: decide_pending(step, now, out); break;
        case StepState::ready: decide_ready(step, now, out); break;
        case StepState::waiting: decide_waiting(step, now, out); break;
        case StepState::running: decide_running(step, now, out); break;
        case StepState::unknown: decide_unknown(step, now, out); break;
        case StepState::compensating: decide_undo(step, now, out); break;
        case StepState::succeeded:
        case StepState::failed:
        case StepState::skipped:
        case StepState::cancelled:
        case StepState::compensated:
        case StepState::compensation_failed: break;
    }
}

bool Engine::may_begin(std::size_t step) const {
    if (state_.unmet_needs(step) > 0) return false;
    if (!state_.bound(step).always) return state_.phase() == RunPhase::running;
    if (state_.phase() != RunPhase::finishing) return false;
    for (std::size_t before = state_.first_always(); before < step; ++before)  // one after the other
        if (!is_settled(state_.record(before).state)) return false;
    return true;
}

void Engine::decide_pending(std::size_t step, Moment now, Decision& out) {
    if (!may_begin(step)) return;
    const BoundStep& bound = state_.bound(step);
    if (!bound.skipped_because.empty())
        move(step, StepState::skipped, Cause::rule_skips, bound.skipped_because, now, out);
    else
        move(step, StepState::ready, Cause::needs_met, "", now, out);
}

void Engine::decide_ready(std::size_t step, Moment now, Decision& out) {
    Flight& flight = flights_[step];
    const BoundStep& bound = state_.bound(step);
    if (!may_begin(step)) {  // time in which it must not begin is not its own, and what was seen then is old
        flight.since.reset();
        flight.look.reset();
        return;
    }
    if (waits_for_redo(step)) return schedule(step, now + redo_poll);
    if (!flight.since) flight.since = now;
    if (bound.kind == StepKind::person) return decide_person(step, now, out);
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (state_.header().mode == Mode::rehearse) {
            if (standings_.empty()) standings_ = standings(state_.plan());
            // A rehearsal does not say that all is well of what it could not see, or saw that it is not.
            if (verdict(bound, standings_[step], look) == Truth::yes)
                return move(step, StepState::skipped, Cause::rehearsal, look.says, now, out, look.evidence);
            if (now < *flight.since + bound.deadline) return order_look(step, now, out);
            return blocked(step, now, out);
        }
        const std::size_t before = out.record.size();
        bound.kind == StepKind::check ? judge_check(step, look, now, out) : judge_act(step, look, now, out);
        if (out.record.size() != before) return;
        // What the run cannot go back from is never left out: if the risk was taken, it is done all the same.
        if (waiver_stands(step, now) && !bound.type->point_of_no_return)
            return move(
                step, StepState::skipped, Cause::granted,
                fmt::format("{}; risk taken by {}", look.says, fmt::join(state_.record(step).waived_by, " and ")), now,
                out, look.evidence);
    }
    if (now >= *flight.since + bound.deadline && flight.out == 0 && !flight.steady_since)
        return blocked(step, now, out);
    order_look(step, now, out);
}

// It is tried again, and so are steps that were taken back when it failed: they come first.
bool Engine::waits_for_redo(std::size_t step) const {
    if (!state_.record(step).ended_at) return false;
    const std::vector<std::string>& taken_back = state_.bound(step).undo_on_failure;
    return std::any_of(taken_back.begin(), taken_back.end(), [&](const std::string& id) {
        const StepState other = state_.record(*state_.find(id)).state;
        return other != StepState::pending && !is_settled(other);
    });
}

void Engine::decide_person(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    if (state_.header().mode == Mode::rehearse)
        return move(step, StepState::skipped, Cause::rehearsal, "people would be asked here", now, out);
    if (!gate_open(step, now)) {
        const WaitFor what = bound.asks.empty() ? WaitFor::gate : WaitFor::person;
        return open_wait(step, what, bound.asks.empty() ? bound.gate->says : bound.asks, now, out);
    }
    move(step, StepState::running, Cause::already_so, "", now, out);
    move(step, StepState::succeeded, Cause::confirmed, "", now, out);
}

void Engine::judge_check(std::size_t step, const Look& look, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    Flight& flight = flights_[step];
    if (flight.steady_since && now - *flight.last_yes > steady_gap_limit) flight.steady_since.reset();
    if (look.done == Truth::yes) {
        if (!flight.steady_since) flight.steady_since = now;
        flight.last_yes = now;
        if (bound.steady && now < *flight.steady_since + *bound.steady) return;
        if (!gate_open(step, now)) return open_wait(step, WaitFor::gate, bound.gate->says, now, out);
        move(step, StepState::running, Cause::already_so, "", now, out);
        return move(step, StepState::succeeded, Cause::confirmed, look.says, now, out, look.evidence);
    }
    // Nobody brings it about any more: to wait for the deadline would only hide that.
    if (look.done == Truth::no && (flight.steady_since || look.gave_up)) return blocked(step, now, out);
}

void Engine::judge_act(std::size_t step, const Look& look, Moment now, Decision& out) {
    if (look.done == Truth::yes) {
        move(step, StepState::running, Cause::already_so, "", now, out);
        return move(step, StepState::succeeded, Cause::already_so, look.says, now, out, look.evidence);
    }
    // As with a check: what nobody makes possible any more is not waited for.
    if (look.allowed == Truth::no && look.gave_up) return blocked(step, now, out);
    if (look.allowed != Truth::yes) return;
    if (!gate_open(step, now)) return open_wait(step, WaitFor::gate, state_.bound(step).gate->says, now, out);
    move(step, StepState::running, Cause::dispatched, look.says, now, out, look.evidence, true);
}

// The step could not be done within its deadline: the people who may take the risk are asked, or it fails.
void Engine::blocked(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    const Flight& flight = flights_[step];
    const std::string says = flight.said.empty() ? "nothing could be seen of it in time" : flight.said;
    const bool can_ask = bound.if_blocked == IfBlocked::ask && state_.header().mode != Mode::rehearse;
    if (can_ask && !bound.type->danger.empty() && !waiver_stands(step, now))
        return open_wait(step, WaitFor::waiver, fmt::format("{}. {}", says, bound.type->danger), now, out);
    move(step, StepState::running, Cause::refused, "", now, out);
    move(step, StepState::failed, Cause::refused, says, now, out, flight.seen);
}

// People agreed to what was shown to them, and not so long ago that it may be another matter now.
bool Engine::gate_open(std::size_t step, Moment now) const {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    if (!bound.gate) return bound.kind != StepKind::person || record.gate_passed;
    return record.gate_passed && now < *record.granted_at + bound.gate->expires;
}

bool Engine::waiver_stands(std::size_t step, Moment now) const {
    const StepRecord& record = state_.record(step);
    return !record.waived_by.empty() && now < *record.granted_at + waiver_expires;
}

void Engine::open_wait(std::size_t step, WaitFor what, const std::string& asks, Moment now, Decision& out) {
    SharedJson evidence = flights_[step].seen;
    if (evidence->empty()) {  // nothing of its own to show: what the steps before it found
        Json before = Json::object();
        for (const std::string& need : state_.bound(step).needs)
            if (const auto found = state_.find(need)) before[need] = *state_.record(*found).evidence;
        evidence = std::move(before);
    }
    const std::string shown = fmt::format("{}|{}|{}|{}|{}", state_.id(), state_.bound(step).id,
                                          state_.plan().plan_digest, state_.plan().inputs_digest, dump(evidence));
    events::StepMove move{.step = state_.bound(step).id,
                          .to = StepState::waiting,
                          .cause = what == WaitFor::waiver ? Cause::blocked : Cause::gate_opened,
                          .says = asks,
                          .evidence = std::move(evidence),
                          .waits_for = what,
                          .digest = sha256_hex(shown),
                          .asks = asks};
    out.record.push_back(events::moved(move, now));
}

bool Engine::quorum(std::size_t step) const {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    const auto count = [&](std::string_view verb) {
        return static_cast<std::size_t>(std::count_if(record.grants.begin(), record.grants.end(),
                                                      [&](const Grant& grant) { return grant.verb == verb; }));
    };
    if (record.waits_for == WaitFor::waiver) return count("waive") >= waiver_quorum;
    if (record.waits_for == WaitFor::person && count("done") == 0) return false;
    if (!bound.gate) return record.waits_for == WaitFor::person;
    const bool confirmed = bound.gate->confirm.empty() || count("confirm") > 0 ||
                           (bound.id == "start" && state_.header().confirmed == bound.gate->confirm);
    return confirmed && count("approve") >= static_cast<std::size_t>(std::max(0, bound.gate->approvals));
}

Moment Engine::wait_expires(std::size_t step) const {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    return *record.waiting_since +
           (record.waits_for == WaitFor::gate && bound.gate ? bound.gate->expires : waiver_expires);
}

void Engine::decide_waiting(std::size_t step, Moment now, Decision& out) {
    const StepRecord& record = state_.record(step);
    if (state_.phase() == RunPhase::compensating) return;
    const Moment expires = wait_expires(step);
    if (now >= expires)
        return move(step, StepState::failed, Cause::expired,
                    "nobody decided within " + readable(expires - *record.waiting_since), now, out);
    if (!quorum(step)) return schedule(step, expires);
    std::vector<std::string> names;
    for (const Grant& grant : record.grants) names.push_back(grant.who + (grant.played ? " (played)" : ""));
    move(step, StepState::ready, Cause::granted,
         names.empty() ? "confirmed with the request" : fmt::format("by {}", fmt::join(names, ", ")), now, out);
}

void Engine::decide_running(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    Flight& flight = flights_[step];
    if (!flight.mine) return move(step, StepState::unknown, Cause::controller_lost, "", now, out);
    if (!flight.asked) return order_apply(step, now, out);
    if (flight.answer) {
        const Result<Json> answer = std::move(*flight.answer);
        flight.answer.reset();
        if (answer) {
            flight.accepted = true;
            flight.learned = *answer;
        } else {
            switch (answer.error().fault) {
                case Fault::unavailable:
                case Fault::conflict:
                case Fault::outcome_unknown:
                    return move(step, StepState::unknown, Cause::contact_lost, answer.error().message, now, out);
                case Fault::refused:
                case Fault::not_allowed:
                case Fault::not_found:
                case Fault::invalid_input:
                case Fault::corrupt:
                    return move(step, StepState::failed, Cause::refused, answer.error().message, now, out);
            }
        }
    }
    if (!flight.accepted) return;  // the answer is still out; the call itself is bounded
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (look.done == Truth::yes) {
            SharedJson evidence = flight.learned;
            add_evidence(evidence, look.evidence);
            return move(step, StepState::succeeded, Cause::confirmed, look.says, now, out, std::move(evidence));
        }
        // Nobody works at it any more: to wait for the deadline would only hide that.
        if (look.gave_up) return move(step, StepState::failed, Cause::not_shown, look.says, now, out, look.evidence);
        if (look.cut_off)
            return move(step, StepState::unknown, Cause::contact_lost, look.says, now, out, look.evidence);
    }
    if (now >= *state_.record(step).intended_at + bound.deadline && flight.out == 0) {
        if (flight.saw_done == Truth::no)
            return move(step, StepState::failed, Cause::not_shown, flight.said, now, out, flight.seen);
        return move(step, StepState::unknown, Cause::contact_lost, flight.said, now, out, flight.seen);
    }
    order_look(step, now, out);
}

void Engine::decide_unknown(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    Flight& flight = flights_[step];
    if (!flight.last_contact) flight.last_contact = now;  // by the controller before this one, at the latest
    if (!flight.since) flight.since = now;
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (look.done == Truth::yes)
            return move(step, StepState::succeeded, Cause::effect_seen, look.says, now, out, look.evidence);
        const bool absent = look.done == Truth::no && now >= *flight.last_contact + late_effect_limit;
        if (absent && bound.type->effect != Effect::at_most_once) {
            if (record.attempt - record.cut_short < bound.attempts)
                return move(step, StepState::ready, Cause::effect_absent, look.says, now, out, look.evidence);
            return move(step, StepState::failed, Cause::effect_absent,
                        fmt::format("{} after {} attempts{}", look.says, record.attempt,
                                    record.says.empty() ? "" : "; the last ended with: " + record.says),
                        now, out, look.evidence);
        }
    }
    order_look(step, now, out);
}

void Engine::decide_undo(std::size_t step, Moment now, Decision& out) {
    const ActionType* undo = state_.undo_of(step);
    check(undo != nullptr, "only a step that can be taken back is taken back");
    Flight& flight = flights_[step];
    if (!flight.since) flight.since = now;
    if (flight.answer) {
        const Result<Json> answer = std::move(*flight.answer);
        flight.answer.reset();
        if (answer) {
            flight.accepted = true;
        } else {
            flight.said = answer.error().message;
            flight.asked = false;  // look again, then ask again: what takes back can be repeated
            if (answer.error().fault == Fault::refused || answer.error().fault == Fault::not_allowed ||
                answer.error().fault == Fault::invalid_input)
                return move(step, StepState::compensation_failed, Cause::undo_failed, flight.said, now, out);
        }
    }
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (look.done == Truth::yes)
            return move(step, StepState::compensated, Cause::undone, look.says, now, out, look.evidence);
        if (look.gave_up)
            return move(step, StepState::compensation_failed, Cause::undo_failed, look.says, now, out, look.evidence);
        if (look.allowed == Truth::yes && !flight.asked) return order_apply(step, now, out, true);
    }
    if (now >= *flight.since + undo->deadline && flight.out == 0)
        return move(step, StepState::compensation_failed, Cause::undo_failed,
                    flight.said.empty() ? "it did not show in time" : flight.said, now, out);
    order_look(step, now, out, true);
}

}  // namespace kedge
