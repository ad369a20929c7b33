#include "sim/people.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr std::size_t waiver_quorum = 2;

}  // namespace

People::People(World& world, Controller& controller, const Assignment& assignment, Random random)
    : world_(world), controller_(controller), assignment_(assignment), random_(random) {}

void People::look() {
    const RunState* state = controller_.state();
    if (state == nullptr || controller_.has_ended()) return;
    for (std::size_t i = 0; i < state->size(); ++i)
        if (state->record(i).state == StepState::waiting) see_to(*state, i);
    if (state->phase() == RunPhase::holding && habits.minds_the_run) mind(*state);
}

std::vector<const Person*> People::others(const RunState& state, const std::vector<std::string>& roles) const {
    std::vector<const Person*> found;
    for (const Person& person : assignment_.estate().people) {
        const bool fits = roles.empty() || std::any_of(roles.begin(), roles.end(), [&](const std::string& role) {
                              return std::find(person.roles.begin(), person.roles.end(), role) != person.roles.end();
                          });
        if (person.name != state.header().requester && !person.login.empty() && fits) found.push_back(&person);
    }
    return found;
}

void People::see_to(const RunState& state, std::size_t step) {
    const StepRecord& record = state.record(step);
    const BoundStep& bound = state.bound(step);
    const std::string question =
        fmt::format("{}/{}/{}", bound.id, record.digest, record.waiting_since->time_since_epoch().count());
    if (!seen_.insert(question).second) return;
    if (random_.chance(habits.absent)) {
        ++absent_;
        return;
    }
    if (random_.chance(habits.wrong)) answer_wrongly(state, step);
    if (random_.chance(habits.says_no)) return answer(state, step, false);
    if (record.waits_for == WaitFor::waiver && !habits.takes_risks) return;
    agree(state, step);
}

void People::answer(const RunState& state, std::size_t step, bool agree_to_it) {
    const BoundStep& bound = state.bound(step);
    if (agree_to_it) return agree(state, step);
    if (const auto all = others(state, bound.gate ? bound.gate->roles : std::vector<std::string>{}); !all.empty())
        ask_soon(bound.id, "reject", "not now", state.record(step).digest, *all.front());
}

void People::mind_the_run() {
    if (const RunState* state = controller_.state()) mind(*state);
}

// As many as it takes, each with the word that is asked of them.
void People::agree(const RunState& state, std::size_t step) {
    const StepRecord& record = state.record(step);
    const BoundStep& bound = state.bound(step);
    const Person* requester = assignment_.estate().person(state.header().requester);
    const std::vector<std::string> roles = bound.gate ? bound.gate->roles : std::vector<std::string>{};
    if (record.waits_for == WaitFor::waiver) {
        std::size_t needed = waiver_quorum;
        for (const Person* person : others(state, {})) {
            if (needed-- == 0) break;
            ask_soon(bound.id, "waive", "I take the risk", record.digest, *person);
        }
        return;
    }
    if (record.waits_for == WaitFor::person && requester != nullptr)
        ask_soon(bound.id, "done", "done by hand", record.digest, *requester);
    if (!bound.gate) return;
    if (!bound.gate->confirm.empty() && bound.id != "start" && requester != nullptr)
        ask_soon(bound.id, "confirm", bound.gate->confirm, record.digest, *requester);
    int needed = bound.gate->approvals;
    for (const Person* person : others(state, roles)) {
        if (needed-- == 0) break;
        ask_soon(bound.id, "approve", "agreed", record.digest, *person);
    }
}

// What the run must refuse: its requester's own approval, a word that was not asked for, a digest of something else.
void People::answer_wrongly(const RunState& state, std::size_t step) {
    const StepRecord& record = state.record(step);
    const std::string& id = state.bound(step).id;
    ++wrong_;
    if (const Person* requester = assignment_.estate().person(state.header().requester))
        ask_soon(id, record.waits_for == WaitFor::waiver ? "waive" : "approve", "my own", record.digest, *requester);
    if (const auto all = others(state, {}); !all.empty()) {
        ask_soon(id, "approve", "of something else", std::string(64, '0'), *all.front());
        ask_soon(id, "confirm", "yes", record.digest, *all.front());
    }
}

// Somebody comes to a run that holds: tries again, once, what failed, and answers for what is owed.
void People::mind(const RunState& state) {
    const std::string& requester = state.header().requester;
    const Person* person = assignment_.estate().person(requester);
    if (person == nullptr) return;
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        const bool failed = record.state == StepState::compensation_failed ||
                            (state.failed().contains(i) && record.state == StepState::failed);
        if (!failed) continue;
        if (seen_.insert(state.bound(i).id + "/failed").second)
            ask_soon(state.bound(i).id, "retry", "tried again", "", *person);
    }
    if (state.before_hold() != RunPhase::finishing) return;
    for (const OpenObligation& owed : state.obligations())
        if (owed.owner.empty() && seen_.insert(owed.step + "/owes " + owed.name).second)
            ask_soon(owed.step, "take_over", "I answer for it", "", *person);
}

void People::ask_soon(const std::string& step, const std::string& verb, const std::string& text,
                      const std::string& digest, const Person& person) {
    Request request{.id = fmt::format("q-{}", ++asked_),
                    .run = assignment_.options.id,
                    .step = step,
                    .login = person.login,
                    .verb = verb,
                    .text = text,
                    .digest = digest};
    const Span takes = random_.between(habits.least, habits.most);
    const bool again = random_.chance(habits.twice);
    world_.ground.schedule().after(takes, [this, request] { ask(request); });
    if (!again) return;
    ++repeated_;
    request.id += "-again";
    world_.ground.schedule().after(takes + random_.between(0ms, 2s), [this, request] { ask(request); });
}

void People::ask_of_run(const std::string& verb) {
    const RunState* state = controller_.state();
    if (state == nullptr || controller_.has_ended()) return;
    if (const Person* person = assignment_.estate().person(state->header().requester))
        ask({.id = fmt::format("q-{}", ++asked_),
             .run = assignment_.options.id,
             .step = "",
             .login = person->login,
             .verb = verb,
             .text = "by hand",
             .digest = ""});
}

// Puts it into the inbox; nobody may be there to judge it, and a run that has ended takes none.
void People::ask(Request request) {
    request.time = world_.ground.now();
    digests_[request.id] = request.digest;
    const Result<void> put = controller_.ask(request);
    check(put || controller_.has_ended() || put.error().fault == Fault::refused, "an inbox takes any request in time");
}

}  // namespace kedge::sim
