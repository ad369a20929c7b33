// Answers in, the agenda, calls out. What a step does next stands in steps.cpp, what the run does in phases.cpp,
// what people may ask in requests.cpp.
//
// A decision costs as much as there is to decide, however long the plan is: a step is looked into when it moved,
// when an answer came, or when the moment came for which it asked; the agenda keeps these moments.

#include "engine/engine.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/events.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Looks begin close together, because a promotion takes a tenth of a second, and thin out, because a restore takes an
// hour. Each pause is a quarter longer than the one before, so that what took t is seen by 1.25 t.
constexpr Span first_pause = 15ms;
constexpr Span longest_pause = 500ms;

// What keeps a step waiting is told after a second, and again when it reads otherwise, each time after twice the time:
// a step of an hour adds a dozen lines to the journal.
constexpr Span first_tell_pause = 1s;

constexpr Span longer(Span pause) {
    return std::min(pause + pause / 4, longest_pause);
}

}  // namespace

Engine::Engine(RunState state, Council council) : state_(std::move(state)), council_(std::move(council)) {
    flights_.resize(state_.size());
    schedule_all(Moment::min());
}

void Engine::schedule(std::size_t step, Moment at) {
    Flight& flight = flights_[step];
    if (flight.due == at) return;
    flight.due = at;
    agenda_.emplace_back(at, step);
    std::push_heap(agenda_.begin(), agenda_.end(), std::greater{});
}

// Until the first of the agenda is one that still holds.
void Engine::drop_outdated() {
    while (!agenda_.empty() && flights_[agenda_.front().second].due != agenda_.front().first) {
        std::pop_heap(agenda_.begin(), agenda_.end(), std::greater{});
        agenda_.pop_back();
    }
}

void Engine::schedule_all(Moment at) {
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const StepState now = state_.record(i).state;
        if (now == StepState::pending ? state_.unmet_needs(i) == 0 : !is_settled(now)) schedule(i, at);
    }
}

Result<void> Engine::recorded(const Entry& entry) {
    TRY(state_.fold(entry));
    if (entry.kind == events::run_phase) schedule_all(entry.time);
    if (entry.kind == events::request_judged || entry.kind == events::step_waits)
        if (const auto step = state_.find(get_string(entry.body, "step").value_or(""))) schedule(*step, entry.time);
    if (entry.kind != events::step_moved) return {};

    const std::size_t step = *state_.find(*get_string(entry.body, "step"));
    const StepRecord& record = state_.record(step);
    Flight& flight = flights_[step];
    const bool intended = record.state == StepState::running && record.intended;
    if (intended || record.state == StepState::ready || record.state == StepState::compensating)
        flight = Flight{.out = flight.out, .mine = intended, .due = flight.due};
    flight.outdated = flight.out != 0;
    flight.pause = first_pause;
    flight.look.reset();
    flight.next_look = entry.time;
    schedule(step, entry.time);
    for (const std::size_t dependent : state_.dependents(step))
        if (state_.unmet_needs(dependent) == 0) schedule(dependent, entry.time);
    if (state_.bound(step).always && is_settled(record.state)) schedule_all(entry.time);
    return {};
}

// Whether this is the answer to the call that is out, and the step still is where it was when the call went out.
bool Engine::expected(const CallOrder& order, Moment now) {
    Flight& flight = flights_[order.step];
    if (flight.out == 0 || flight.out != order.serial) return false;
    flight.out = 0;
    schedule(order.step, now);
    return !flight.outdated;
}

void Engine::looked(const CallOrder& order, Result<Look> look, Moment now) {
    if (!expected(order, now)) return;
    Flight& flight = flights_[order.step];
    flight.next_look = now + flight.pause;
    if (look && look->again_after) flight.next_look = std::min(flight.next_look, now + *look->again_after);
    flight.pause = longer(flight.pause);
    if (!look) look = Look{.says = look.error().message};  // could not look: everything about it is unknown
    flight.said = look->says;
    flight.seen = look->evidence;
    flight.saw_done = look->done;
    flight.look = std::move(*look);
}

void Engine::applied(const CallOrder& order, Result<Json> answer, Moment now) {
    if (!expected(order, now)) return;
    Flight& flight = flights_[order.step];
    flight.next_look = now;
    flight.pause = first_pause;
    flight.last_contact = now;
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
    if (state_.phase() == RunPhase::running && !state_.failed().empty()) {  // before anything new begins
        decide_phase(now, out);
        if (!out.record.empty()) return out;
    }
    due_.clear();
    for (drop_outdated(); !agenda_.empty() && agenda_.front().first <= now; drop_outdated()) {
        due_.push_back(agenda_.front().second);
        flights_[due_.back()].due.reset();
    }
    for (const std::size_t step : due_) decide_step(step, now, out);
    if (out.record.empty()) decide_phase(now, out);
    if (!out.record.empty()) {  // the calls can wait until this is durable
        for (const CallOrder& order : out.calls) schedule(order.step, now);
        out.calls.clear();
    }
    for (CallOrder& order : out.calls) {
        Flight& flight = flights_[order.step];
        order.serial = flight.out = ++serial_;
        flight.outdated = false;
        if (order.what == CallOrder::What::apply) {
            flight.asked = true;
            flight.last_contact = now;
        }
    }
    drop_outdated();
    if (!agenda_.empty()) out.wake = agenda_.front().first;
    return out;
}

void Engine::move(std::size_t step, StepState to, Cause cause, std::string says, Moment now, Decision& out,
                  std::optional<SharedJson> evidence, bool intent) {
    out.record.push_back(events::moved({.step = state_.bound(step).id,
                                        .to = to,
                                        .cause = cause,
                                        .says = std::move(says),
                                        .evidence = std::move(evidence),
                                        .intent = intent},
                                       now));
}

void Engine::tell_what_it_waits_for(std::size_t step, Moment now, Decision& out) {
    Flight& flight = flights_[step];
    if (!flight.tell_at) {
        flight.tell_pause = first_tell_pause;
        flight.tell_at = now + flight.tell_pause;
    }
    if (now < *flight.tell_at || flight.said.empty() || flight.said == flight.told) return;
    flight.told = flight.said;
    flight.tell_pause *= 2;
    flight.tell_at = now + flight.tell_pause;
    out.record.push_back(events::waits(state_.bound(step).id, flight.said, now));
}

void Engine::order_look(std::size_t step, Moment now, Decision& out, bool undo) {
    const Flight& flight = flights_[step];
    if (flight.out != 0) return;
    tell_what_it_waits_for(step, now, out);
    if (now < flight.next_look) return schedule(step, flight.next_look);
    const ActionType* type = undo ? state_.undo_of(step) : state_.bound(step).type;
    out.calls.push_back({.step = step,
                         .what = CallOrder::What::look,
                         .undo = undo,
                         .waived = waiver_stands(step, now),
                         .accepted = flight.accepted,
                         .attempt = state_.record(step).attempt,
                         .deadline = now + type->call_limit});
}

void Engine::order_apply(std::size_t step, Moment now, Decision& out, bool undo) {
    if (flights_[step].out != 0) return;
    const ActionType* type = undo ? state_.undo_of(step) : state_.bound(step).type;
    out.calls.push_back({.step = step,
                         .what = CallOrder::What::apply,
                         .undo = undo,
                         .waived = waiver_stands(step, now),
                         .attempt = state_.record(step).attempt,
                         .deadline = now + type->call_limit});
}

}  // namespace kedge
