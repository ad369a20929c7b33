#include "response/players.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"

namespace kedge {
namespace {

bool holds_one_of(const Person& person, const std::vector<std::string>& roles) {
    return roles.empty() || std::any_of(roles.begin(), roles.end(), [&](const std::string& role) {
               return std::find(person.roles.begin(), person.roles.end(), role) != person.roles.end();
           });
}

}  // namespace

Result<void> Players::play(const RunState& state) {
    const std::string& requester = state.header().requester;
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        if (record.state != StepState::waiting) continue;
        const BoundStep& bound = state.bound(i);
        const Moment since = record.waiting_since.value_or(state.started_at());
        if (record.waits_for == WaitFor::waiver) {
            if (!rules_.takes_risks) continue;
            for (const Person& person : estate_.people)
                if (person.name != requester)
                    TRY(ask(state, bound.id, "waive", "played: the risk is taken for the drill", record.digest, person,
                            since));
            continue;
        }
        if (record.waits_for == WaitFor::person)
            if (const Person* person = estate_.person(requester))
                TRY(ask(state, bound.id, "done", "played: done", record.digest, *person, since));
        if (!bound.gate) continue;
        if (!bound.gate->confirm.empty() && bound.id != "start")
            if (const Person* person = estate_.person(requester))
                TRY(ask(state, bound.id, "confirm", bound.gate->confirm, record.digest, *person, since));
        int needed = bound.gate->approvals;
        for (const Person& person : estate_.people) {
            if (needed == 0) break;
            if (person.name == requester || !holds_one_of(person, bound.gate->roles)) continue;
            TRY(ask(state, bound.id, "approve", "played: agreed", record.digest, person, since));
            --needed;
        }
    }
    if (state.phase() != RunPhase::holding) return {};
    for (const OpenObligation& owed : state.obligations())
        if (owed.owner.empty())
            if (const Person* person = estate_.person(requester))
                TRY(ask(state, owed.step, "take_over", "played: I own it until it is paid", "", *person, owed.since));
    return {};
}

Result<void> Players::ask(const RunState& state, const std::string& step, const std::string& verb,
                          const std::string& text, const std::string& digest, const Person& person, Moment since) {
    // The same request at every look and by every controller, its time included, so that asking twice is asking once;
    // a step that waits anew is asked for anew.
    const std::string what =
        fmt::format("{}|{}|{}|{}|{}|{}", state.id(), step, verb, person.name, digest, to_string(since));
    const std::string id = "q-" + sha256_hex(what).substr(0, 16);
    if (!asked_.insert(id).second) return {};
    return journal_.ask({.id = id,
                         .run = state.id(),
                         .step = step,
                         .login = "",
                         .verb = verb,
                         .text = text,
                         .digest = digest,
                         .played_as = person.name,
                         .time = since});
}

}  // namespace kedge
