#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "engine/events.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Looks begin close together, because a promotion takes a tenth of a second, and thin out, because a
// restore takes an hour.
constexpr Span first_pause = 15ms;
constexpr Span longest_pause = 500ms;
// A request whose answer was lost may still arrive: "it is not there" counts only after so long.
constexpr Span late_effect_limit = 1s;
// How many people it takes to accept a danger in writing.
constexpr std::size_t waiver_quorum = 2;
constexpr Span waiver_expires = 30min;

}  // namespace

Engine::Engine(RunState state, Council council) : state_(std::move(state)), council_(std::move(council)) {
    flights_.resize(state_.size());
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepState now = state_.record(i).state;
        if (now == StepState::pending ? state_.unmet_needs(i) == 0 : !is_settled(now)) active_.push_back(i);
    }
}

Result<void> Engine::recorded(const Entry& entry) {
    TRY(state_.fold(entry));
    if (entry.kind != events::step_moved) return {};
    const std::size_t step = *state_.find(*get_string(entry.body, "step"));
    const StepRecord& record = state_.record(step);
    Flight& flight = flights_[step];
    if (record.state == StepState::running && record.intended) {
        flight.mine = true;
        flight.asked = flight.accepted = false;
    }
    if (record.state == StepState::ready || record.state == StepState::compensating)
        flight = Flight{.busy = flight.busy};
    flight.pause = first_pause;
    flight.look.reset();
    flight.next_look = entry.time;
    if (std::find(active_.begin(), active_.end(), step) == active_.end()) active_.push_back(step);
    if (is_done(record.state))
        for (const std::size_t dependent : state_.dependents(step))
            if (state_.unmet_needs(dependent) == 0 && state_.record(dependent).state == StepState::pending)
                active_.push_back(dependent);
    return {};
}

void Engine::looked(const CallOrder& order, Result<Look> look, Moment now) {
    Flight& flight = flights_[order.step];
    flight.busy = false;
    const bool stale = order.attempt != state_.record(order.step).attempt;
    flight.next_look = now + flight.pause;
    flight.pause = std::min(flight.pause * 2, longest_pause);
    if (stale) return;
    if (!look) look = Look{.says = look.error().message};  // could not look: everything about it is unknown
    flight.said = look->says;
    flight.seen = look->evidence;
    flight.saw_done = look->done;
    flight.look = std::move(*look);
}

void Engine::applied(const CallOrder& order, Result<Json> answer, Moment now) {
    Flight& flight = flights_[order.step];
    flight.busy = false;
    flight.next_look = now;
    flight.pause = first_pause;
    flight.answer = std::move(answer);
}

void Engine::requested(std::vector<Request> requests) {
    requests_ = std::move(requests);
}

Decision Engine::decide(Moment now) {
    Decision out;
    if (state_.phase() == RunPhase::ended) return out;
    if (!requests_.empty()) {  // one at a time: the next is judged on the state that this one leaves
        judge(requests_.front(), now, out);
        out.settled.push_back(requests_.front().id);
        requests_.erase(requests_.begin());
        return out;
    }

    std::erase_if(active_, [&](std::size_t step) { return is_settled(state_.record(step).state); });
    for (const std::size_t step : active_) decide_step(step, now, out);
    if (out.record.empty()) decide_phase(now, out);
    if (!out.record.empty()) out.calls.clear();
    for (const CallOrder& order : out.calls) {
        flights_[order.step].busy = true;
        if (order.what == CallOrder::What::apply) {
            flights_[order.step].asked = true;
            flights_[order.step].last_contact = now;
        }
    }
    return out;
}

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
    if (!state_.bound(step).always) return state_.phase() == RunPhase::running;
    if (state_.phase() != RunPhase::finishing) return false;
    for (std::size_t before = 0; before < step; ++before)  // `always` steps go one after the other
        if (state_.bound(before).always && !is_settled(state_.record(before).state)) return false;
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
    if (!may_begin(step)) return;
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    if (bound.kind == StepKind::person) {
        if (state_.header().mode == Mode::rehearse)
            return move(step, StepState::skipped, Cause::rehearsal, "people would be asked here", now, out);
        if (!record.gate_passed) {
            const WaitFor what = bound.asks.empty() ? WaitFor::gate : WaitFor::person;
            return open_wait(step, what, bound.asks.empty() ? bound.gate->says : bound.asks, now, out);
        }
        move(step, StepState::running, Cause::already_so, "", now, out);
        return move(step, StepState::succeeded, Cause::confirmed, "", now, out);
    }
    Flight& flight = flights_[step];
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (state_.header().mode == Mode::rehearse)
            return move(step, StepState::skipped, Cause::rehearsal, look.says, now, out, look.evidence);
        const std::size_t before = out.record.size();
        bound.kind == StepKind::check ? judge_check(step, look, now, out) : judge_act(step, look, now, out);
        if (out.record.size() != before) return;
        if (!record.waived_by.empty())
            return move(step, StepState::skipped, Cause::granted,
                        fmt::format("{}; risk taken by {}", look.says, fmt::join(record.waived_by, " and ")), now, out,
                        look.evidence);
    }
    if (now >= *record.ready_at + bound.deadline && !flight.busy && flight.steady_since == std::nullopt)
        return blocked(step, now, out);
    order_look(step, now, out);
}

void Engine::judge_check(std::size_t step, const Look& look, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    Flight& flight = flights_[step];
    if (look.done == Truth::yes) {
        if (!flight.steady_since) flight.steady_since = now;
        if (bound.steady && now < *flight.steady_since + *bound.steady) return;
        if (bound.gate && !state_.record(step).gate_passed)
            return open_wait(step, WaitFor::gate, bound.gate->says, now, out);
        move(step, StepState::running, Cause::already_so, "", now, out);
        return move(step, StepState::succeeded, Cause::confirmed, look.says, now, out, look.evidence);
    }
    if (look.done == Truth::no && bound.steady && flight.steady_since) return blocked(step, now, out);
    if (look.done == Truth::no) flight.steady_since.reset();
}

void Engine::judge_act(std::size_t step, const Look& look, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    if (look.done == Truth::yes) {
        move(step, StepState::running, Cause::already_so, "", now, out);
        return move(step, StepState::succeeded, Cause::already_so, look.says, now, out, look.evidence);
    }
    if (look.allowed != Truth::yes) return;
    if (bound.gate && !state_.record(step).gate_passed)
        return open_wait(step, WaitFor::gate, bound.gate->says, now, out);
    move(step, StepState::running, Cause::dispatched, look.says, now, out, look.evidence, true);
}

// The step could not be done within its deadline: the people who may take the risk are asked, or it fails.
void Engine::blocked(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    const Flight& flight = flights_[step];
    const std::string says = flight.said.empty() ? "nothing could be seen of it in time" : flight.said;
    if (bound.if_blocked == IfBlocked::ask && !bound.type->danger.empty() && record.waived_by.empty())
        return open_wait(step, WaitFor::waiver, fmt::format("{}. {}", says, bound.type->danger), now, out);
    move(step, StepState::running, Cause::refused, "", now, out);
    move(step, StepState::failed, Cause::refused, says, now, out, flight.seen);
}

void Engine::open_wait(std::size_t step, WaitFor what, std::string asks, Moment now, Decision& out) {
    Json evidence = flights_[step].seen;
    if (evidence.empty())  // nothing of its own to show: what the steps before it found
        for (const std::string& need : state_.bound(step).needs)
            if (const auto found = state_.find(need)) evidence[need] = state_.record(*found).evidence;
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

void Engine::decide_waiting(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    if (state_.phase() == RunPhase::compensating) return;
    if (quorum(step)) {
        std::vector<std::string> names;
        for (const Grant& grant : record.grants) names.push_back(grant.who + (grant.played ? " (played)" : ""));
        return move(step, StepState::ready, Cause::granted, fmt::format("by {}", fmt::join(names, ", ")), now, out);
    }
    const Span limit = record.waits_for == WaitFor::gate && bound.gate ? bound.gate->expires : waiver_expires;
    const Moment expires = *record.waiting_since + limit;
    if (now >= expires)
        return move(step, StepState::failed, Cause::expired, "nobody decided within " + readable(limit), now, out);
    out.wake = std::min(out.wake.value_or(expires), expires);
}

void Engine::decide_running(std::size_t step, Moment now, Decision& out) {
    const BoundStep& bound = state_.bound(step);
    const StepRecord& record = state_.record(step);
    Flight& flight = flights_[step];
    if (!record.intended) return;
    if (!flight.mine) {
        flight.last_contact = now;
        return move(step, StepState::unknown, Cause::controller_lost, "", now, out);
    }
    if (!flight.asked) return order_apply(step, now, out);
    if (flight.answer) {
        const Result<Json> answer = std::move(*flight.answer);
        flight.answer.reset();
        if (answer) {
            flight.accepted = true;
            flight.learned = *answer;
            flight.look.reset();
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
            Json evidence = flight.learned;
            evidence.update(look.evidence);
            return move(step, StepState::succeeded, Cause::confirmed, look.says, now, out, std::move(evidence));
        }
    }
    if (now >= *record.intended_at + bound.deadline && !flight.busy) {
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
    if (!flight.last_contact) flight.last_contact = now;
    if (flight.look) {
        const Look look = std::move(*flight.look);
        flight.look.reset();
        if (look.done == Truth::yes)
            return move(step, StepState::succeeded, Cause::effect_seen, look.says, now, out, look.evidence);
        const bool absent = look.done == Truth::no && now >= *flight.last_contact + late_effect_limit;
        if (absent && bound.type->effect != Effect::at_most_once) {
            if (record.attempt < bound.attempts)
                return move(step, StepState::ready, Cause::effect_absent, look.says, now, out, look.evidence);
            return move(step, StepState::failed, Cause::effect_absent,
                        fmt::format("{} after {} attempts", look.says, record.attempt), now, out, look.evidence);
        }
    }
    if (now >= *flight.last_contact + bound.deadline && state_.phase() == RunPhase::running && !flight.busy)
        out.record.push_back(events::phase(
            RunPhase::holding,
            fmt::format("step {}: nobody knows whether it happened; look and say: kedge run resolve {} {} --as done",
                        bound.id, state_.id(), bound.id),
            now));
    order_look(step, now, out);
}

void Engine::decide_undo(std::size_t step, Moment now, Decision& out) {
    const StepRecord& record = state_.record(step);
    const ActionType* undo = state_.undo_of(step);
    check(undo != nullptr, "only a step that can be taken back is taken back");
    Flight& flight = flights_[step];
    if (flight.answer) {
        const Result<Json> answer = std::move(*flight.answer);
        flight.answer.reset();
        flight.look.reset();
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
        if (look.allowed == Truth::yes && !flight.asked) return order_apply(step, now, out, true);
    }
    if (now >= *record.intended_at + undo->deadline && !flight.busy)
        return move(step, StepState::compensation_failed, Cause::undo_failed,
                    flight.said.empty() ? "it did not show in time" : flight.said, now, out);
    if (!flight.busy) order_look(step, now, out, true);
}

void Engine::decide_phase(Moment now, Decision& out) {
    const auto note = [&](RunPhase to, std::string says) { out.record.push_back(events::phase(to, says, now)); };
    switch (state_.phase()) {
        case RunPhase::running: {
            for (std::size_t i = 0; i < state_.size(); ++i) {
                const BoundStep& bound = state_.bound(i);
                if (bound.always || state_.record(i).state != StepState::failed) continue;
                const std::string says = fmt::format("step {} failed: {}", bound.id, state_.record(i).says);
                for (const std::string& id : bound.undo_on_failure) {
                    const std::size_t other = *state_.find(id);
                    if (state_.record(other).state == StepState::succeeded && state_.undo_of(other) != nullptr)
                        move(other, StepState::compensating, Cause::undo_begins, says, now, out);
                }
                if (state_.past_no_return() || !bound.undo_on_failure.empty()) return note(RunPhase::holding, says);
                return note(RunPhase::compensating, says);
            }
            if (state_.unsettled() == 0) note(RunPhase::finishing, "every step is done");
            break;
        }
        case RunPhase::compensating: decide_compensation(now, out); break;
        case RunPhase::finishing: {
            for (std::size_t i = 0; i < state_.size(); ++i) {
                if (!state_.bound(i).always || is_settled(state_.record(i).state)) continue;
                if (state_.record(i).state == StepState::pending && state_.unmet_needs(i) > 0 && may_begin(i))
                    move(i, StepState::cancelled, Cause::cancelled, "what it needs was not done", now, out);
                return;
            }
            finish(now, out);
            break;
        }
        case RunPhase::holding: {
            bool all_settled = true;
            for (std::size_t i = 0; i < state_.size(); ++i)
                all_settled = all_settled && is_settled(state_.record(i).state);
            if (all_settled) finish(now, out);
            break;
        }
        case RunPhase::paused:
        case RunPhase::ended: break;
    }
}

// Backward: what has not begun is cancelled, what is out is awaited, then the newest success is taken back first.
void Engine::decide_compensation(Moment now, Decision& out) {
    bool settled = true;
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepRecord& record = state_.record(i);
        if (state_.bound(i).always) continue;
        if (record.state == StepState::pending || record.state == StepState::ready ||
            record.state == StepState::waiting)
            move(i, StepState::cancelled, Cause::cancelled, "", now, out);
        settled = settled && is_settled(record.state);
    }
    if (!settled || !out.record.empty()) return;

    std::optional<std::size_t> newest;
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepRecord& record = state_.record(i);
        const bool taken_over = std::any_of(record.grants.begin(), record.grants.end(),
                                            [](const Grant& grant) { return grant.verb == "take_over"; });
        if (record.state == StepState::compensation_failed && !taken_over)
            return out.record.push_back(events::phase(
                RunPhase::holding, fmt::format("step {} could not be taken back: {}", state_.bound(i).id, record.says),
                now));
        const bool ours = (record.state == StepState::succeeded && record.cause != Cause::already_so) ||
                          (record.state == StepState::failed && record.attempt > 0);
        if (state_.bound(i).always || state_.undo_of(i) == nullptr || record.attempt == 0 || !ours) continue;
        if (!newest || record.completed == 0 || record.completed > state_.record(*newest).completed) newest = i;
    }
    if (newest && !state_.past_no_return())
        return move(*newest, StepState::compensating, Cause::undo_begins, state_.phase_says(), now, out);
    out.record.push_back(events::phase(RunPhase::finishing, "nothing is left to take back", now));
}

// The end, unless something is still owed that nobody took over.
void Engine::finish(Moment now, Decision& out) {
    std::string owed;
    for (const OpenObligation& open : state_.obligations())
        if (open.owner.empty()) owed += (owed.empty() ? "" : "; ") + open.says;
    if (!owed.empty()) {
        if (state_.phase() != RunPhase::holding)
            out.record.push_back(events::phase(
                RunPhase::holding, fmt::format("owed until a person takes it over by name: {}", owed), now));
        return;
    }
    out.record.push_back(events::phase(RunPhase::ended, "", now, result()));
    out.ends = Ends::yes;
}

RunResult Engine::result() const {
    bool done = true, taken_back = true;
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepState step = state_.record(i).state;
        done = done && is_done(step);
        if (step == StepState::compensation_failed || (state_.bound(i).always && !is_done(step))) taken_back = false;
    }
    if (done) return RunResult::succeeded;
    if (!taken_back || state_.past_no_return() || !state_.obligations().empty()) return RunResult::failed;
    return state_.cancelling() ? RunResult::cancelled : RunResult::compensated;
}

void Engine::move(std::size_t step, StepState to, Cause cause, std::string says, Moment now, Decision& out,
                  std::optional<Json> evidence, bool intent) {
    out.record.push_back(events::moved({.step = state_.bound(step).id,
                                        .to = to,
                                        .cause = cause,
                                        .says = std::move(says),
                                        .evidence = std::move(evidence),
                                        .intent = intent},
                                       now));
}

void Engine::order_look(std::size_t step, Moment now, Decision& out, bool undo) {
    const Flight& flight = flights_[step];
    if (flight.busy) return;
    if (now < flight.next_look) {
        out.wake = std::min(out.wake.value_or(flight.next_look), flight.next_look);
        return;
    }
    const ActionType* type = undo ? state_.undo_of(step) : state_.bound(step).type;
    out.calls.push_back({.step = step,
                         .what = CallOrder::What::look,
                         .undo = undo,
                         .waived = !state_.record(step).waived_by.empty(),
                         .accepted = flight.accepted,
                         .attempt = state_.record(step).attempt,
                         .deadline = now + type->call_limit});
}

void Engine::order_apply(std::size_t step, Moment now, Decision& out, bool undo) {
    if (flights_[step].busy) return;
    const ActionType* type = undo ? state_.undo_of(step) : state_.bound(step).type;
    out.calls.push_back({.step = step,
                         .what = CallOrder::What::apply,
                         .undo = undo,
                         .waived = !state_.record(step).waived_by.empty(),
                         .attempt = state_.record(step).attempt,
                         .deadline = now + type->call_limit});
}

}  // namespace kedge
