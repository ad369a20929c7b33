// How the engine judges what people ask. Each verdict is journalled with its reason, whoever asked.

#include <fmt/format.h>

#include <algorithm>

#include "engine/engine.h"
#include "engine/events.h"

namespace kedge {
namespace {

const Person* find_person(const Council& council, const Request& request) {
    for (const Person& person : council.people) {
        if (!request.played_as.empty() ? council.lab && person.name == request.played_as
                                       : !person.login.empty() && person.login == request.login)
            return &person;
    }
    return nullptr;
}

bool holds_one_of(const Person& person, const std::vector<std::string>& roles) {
    return roles.empty() || std::any_of(roles.begin(), roles.end(), [&](const std::string& role) {
               return std::find(person.roles.begin(), person.roles.end(), role) != person.roles.end();
           });
}

bool has_granted(const StepRecord& record, const Person& person, std::string_view verb) {
    return std::any_of(record.grants.begin(), record.grants.end(),
                       [&](const Grant& grant) { return grant.who == person.name && grant.verb == verb; });
}

}  // namespace

void Engine::judge(const Request& request, Moment now, Decision& out) {
    const Person* person = find_person(council_, request);
    if (person == nullptr) {
        out.record.push_back(events::judged(
            request, "", false,
            request.played_as.empty()
                ? fmt::format("the login '{}' is nobody in this estate", request.login)
                : fmt::format("'{}' may be played only in a lab's own estate that names them", request.played_as),
            now));
        return;
    }
    // The verdict stands before its consequences, so that the history reads in the order of causes.
    Decision consequences;
    const std::string refusal = request.step.empty() ? judge_run_verb(request, *person, now, consequences)
                                                     : judge_step_verb(request, *person, now, consequences);
    out.record.push_back(events::judged(request, person->name, refusal.empty(), refusal, now));
    if (!refusal.empty()) return;
    for (Draft& draft : consequences.record) out.record.push_back(std::move(draft));
}

// Returns why not, or nothing.
std::string Engine::judge_step_verb(const Request& request, const Person& person, Moment now, Decision& out) {
    const auto found = state_.find(request.step);
    if (!found) return fmt::format("there is no step '{}'", request.step);
    const StepRecord& record = state_.record(*found);
    const BoundStep& bound = state_.bound(*found);
    const std::string& verb = request.verb;

    if (verb == "approve" || verb == "confirm" || verb == "waive" || verb == "done" || verb == "reject" ||
        verb == "withdraw")
        return judge_agreement(*found, request, person, now, out);
    if (verb == "retry") return judge_retry(*found, fmt::format("{}: {}", person.name, request.text), now, out);
    if (verb == "skip") return judge_skip(*found, request, person, now, out);
    if (verb == "resolve") {
        if (record.state != StepState::unknown) return fmt::format("the outcome of step {} is not unknown", bound.id);
        const bool done = request.text == "done";
        if (!done && request.text != "not-done") return "say done or not-done";
        move(*found, done ? StepState::succeeded : StepState::failed,
             done ? Cause::person_says_done : Cause::person_says_not_done, person.name, now, out);
        return {};
    }
    if (verb == "take_over") {
        const std::vector<OpenObligation>& open = state_.obligations();
        const bool owes =
            std::any_of(open.begin(), open.end(), [&](const OpenObligation& owed) { return owed.step == bound.id; });
        return owes || state_.stuck().contains(*found) ? "" : fmt::format("step {} owes nothing", bound.id);
    }
    return fmt::format("'{}' is not something that can be asked of a step", verb);
}

std::string Engine::judge_agreement(std::size_t step, const Request& request, const Person& person, Moment now,
                                    Decision& out) {
    const StepRecord& record = state_.record(step);
    const BoundStep& bound = state_.bound(step);
    const std::string& verb = request.verb;
    if (record.state != StepState::waiting)
        return fmt::format("step {} does not wait for anybody; it is {}", bound.id, to_string(record.state));
    if (request.digest != record.digest)
        return "what was shown has changed since: look again at what is asked, then decide";
    if (verb == "reject") {
        move(step, StepState::failed, Cause::rejected, fmt::format("{}: {}", person.name, request.text), now, out);
        return {};
    }
    if (verb == "withdraw")
        return std::any_of(record.grants.begin(), record.grants.end(),
                           [&](const Grant& grant) { return grant.who == person.name; })
                   ? ""
                   : fmt::format("{} had not agreed to step {}", person.name, bound.id);
    if (now >= wait_expires(step)) return "the time to decide has passed";
    if (has_granted(record, person, verb)) return fmt::format("{} has agreed already", person.name);
    if (verb == "confirm") {
        if (record.waits_for == WaitFor::waiver || !bound.gate || bound.gate->confirm.empty())
            return "no confirmation is asked for here";
        return request.text == bound.gate->confirm ? "" : fmt::format("type exactly '{}'", bound.gate->confirm);
    }
    if (verb == "done")
        return record.waits_for == WaitFor::person ? "" : fmt::format("step {} is not done by hand", bound.id);
    const bool waiver = record.waits_for == WaitFor::waiver;
    if ((verb == "waive") != waiver)
        return waiver ? "a risk must be taken by name: use waive" : "there is no risk to take here: use approve";
    if (person.name == state_.header().requester) return "who asked for the run cannot agree to it as well";
    if (bound.gate && !waiver && !holds_one_of(person, bound.gate->roles))
        return fmt::format("{} holds none of the roles asked for: {}", person.name, fmt::join(bound.gate->roles, ", "));
    return {};
}

std::string Engine::judge_retry(std::size_t step, const std::string& by, Moment now, Decision& out) {
    const StepRecord& record = state_.record(step);
    const BoundStep& bound = state_.bound(step);
    if (record.state == StepState::compensation_failed) {
        move(step, StepState::compensating, Cause::retry, by, now, out);
        return {};
    }
    if (record.state != StepState::failed) return fmt::format("step {} has not failed", bound.id);
    if (state_.phase() != RunPhase::holding) return "the run does not hold: nothing can be retried now";
    if (state_.before_hold() != (bound.always ? RunPhase::finishing : RunPhase::running))
        return "the run does not go forward any more: start another";
    // What was taken back when it failed is done again before it.
    for (const std::string& id : bound.undo_on_failure) {
        const std::size_t other = *state_.find(id);
        const StepState now_is = state_.record(other).state;
        if (now_is == StepState::compensating || now_is == StepState::compensation_failed)
            return fmt::format("step {} is not taken back yet", id);
        if (now_is == StepState::compensated) move(other, StepState::ready, Cause::retry, by, now, out);
    }
    move(step, StepState::ready, Cause::retry, by, now, out);
    return {};
}

std::string Engine::judge_skip(std::size_t step, const Request& request, const Person& person, Moment now,
                               Decision& out) {
    const StepRecord& record = state_.record(step);
    const BoundStep& bound = state_.bound(step);
    if (request.text.empty()) return "leaving a step out needs a reason";
    if (person.name == state_.header().requester)
        return "leaving a step out is for somebody other than who asked for the run";
    if (bound.type != nullptr && bound.type->point_of_no_return) return "this step cannot be left out";
    if (record.state != StepState::failed && record.state != StepState::ready)
        return fmt::format("step {} is {}; only one that failed or is ready can be left out", bound.id,
                           to_string(record.state));
    move(step, StepState::skipped, Cause::skipped_by_person, fmt::format("{}: {}", person.name, request.text), now,
         out);
    return {};
}

std::string Engine::judge_run_verb(const Request& request, const Person& person, Moment now, Decision& out) {
    const std::string& verb = request.verb;
    const std::string by = fmt::format("{}{}{}", person.name, request.text.empty() ? "" : ": ", request.text);
    const RunPhase phase = state_.phase();
    if (verb == "pause") {
        if (phase != RunPhase::running) return fmt::format("a run that is {} cannot be paused", to_string(phase));
        out.record.push_back(events::phase(RunPhase::paused, by, now));
        return {};
    }
    if (verb == "resume") {
        if (phase != RunPhase::paused) return fmt::format("the run is not paused; it is {}", to_string(phase));
        out.record.push_back(events::phase(RunPhase::running, by, now));
        return {};
    }
    if (verb == "cancel") {
        if (phase == RunPhase::compensating || phase == RunPhase::finishing) return "the run is on its way to an end";
        out.record.push_back(events::phase(RunPhase::compensating, "cancelled by " + by, now, {}, true));
        return {};
    }
    if (verb == "take_over") return state_.obligations().empty() && state_.stuck().empty() ? "nothing is owed" : "";
    return fmt::format("'{}' is not something that can be asked of a run", verb);
}

}  // namespace kedge
