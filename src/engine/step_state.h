// Every state a step can be in, and every move it can make. The sentence of a move is what operators read.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace kedge {

enum class StepState {
    pending,  // something it needs is not done yet
    ready,    // looking at the target, about to act
    waiting,  // for people
    running,  // dispatched; with an intent in the journal from the moment it may have an effect
    succeeded,
    failed,
    unknown,  // an effect was asked for and nobody knows whether it happened
    skipped,
    cancelled,
    compensating,
    compensated,
    compensation_failed,
};

// Why a step moves.
enum class Cause {
    needs_met,
    rule_skips,
    rehearsal,
    gate_opened,
    blocked,
    granted,
    rejected,
    expired,
    dispatched,
    already_so,
    confirmed,
    refused,
    not_shown,
    contact_lost,
    controller_lost,
    effect_seen,
    effect_absent,
    person_says_done,
    person_says_not_done,
    retry,
    skipped_by_person,
    cancelled,
    undo_begins,
    undone,
    undo_failed,
};

struct Transition {
    StepState from;
    StepState to;
    Cause cause;
    std::string_view says;
};

inline constexpr std::array step_transitions = {
    Transition{StepState::pending, StepState::ready, Cause::needs_met, "everything it needs is done"},
    Transition{StepState::pending, StepState::skipped, Cause::rule_skips, "a rule of the plan skips it"},
    Transition{StepState::pending, StepState::cancelled, Cause::cancelled, "the run does not come to it"},
    Transition{StepState::ready, StepState::waiting, Cause::gate_opened, "people must agree first"},
    Transition{StepState::ready, StepState::waiting, Cause::blocked, "it is blocked; two people may take the risk"},
    Transition{StepState::ready, StepState::running, Cause::dispatched,
               "the intent is journalled, the target is asked"},
    Transition{StepState::ready, StepState::running, Cause::already_so, "nothing to do: the target already shows it"},
    Transition{StepState::ready, StepState::running, Cause::refused, "it could not be done in time"},
    Transition{StepState::ready, StepState::skipped, Cause::rehearsal, "a rehearsal only looks"},
    Transition{StepState::ready, StepState::skipped, Cause::granted, "two people took the risk by name"},
    Transition{StepState::ready, StepState::skipped, Cause::skipped_by_person, "a person left it out, with a reason"},
    Transition{StepState::ready, StepState::cancelled, Cause::cancelled, "the run does not come to it"},
    Transition{StepState::waiting, StepState::ready, Cause::granted, "the people asked have agreed"},
    Transition{StepState::waiting, StepState::failed, Cause::rejected, "a person said no"},
    Transition{StepState::waiting, StepState::failed, Cause::expired, "nobody decided in time"},
    Transition{StepState::waiting, StepState::failed, Cause::cancelled, "the run turns back; it had been tried before"},
    Transition{StepState::waiting, StepState::cancelled, Cause::cancelled, "the run does not come to it"},
    Transition{StepState::running, StepState::succeeded, Cause::confirmed, "the target shows the effect"},
    Transition{StepState::running, StepState::succeeded, Cause::already_so, "the target already shows it"},
    Transition{StepState::running, StepState::failed, Cause::refused, "the target said no, nothing was changed"},
    Transition{StepState::running, StepState::failed, Cause::not_shown, "accepted, but the target does not show it"},
    Transition{StepState::running, StepState::unknown, Cause::contact_lost,
               "no answer: look at the target before any retry"},
    Transition{StepState::running, StepState::unknown, Cause::controller_lost,
               "the controller that asked is gone: look first"},
    Transition{StepState::unknown, StepState::succeeded, Cause::effect_seen, "the target already shows the effect"},
    Transition{StepState::unknown, StepState::succeeded, Cause::person_says_done, "a person has looked: it is done"},
    Transition{StepState::unknown, StepState::ready, Cause::effect_absent,
               "the target shows no effect: safe to repeat"},
    Transition{StepState::unknown, StepState::failed, Cause::effect_absent,
               "the target shows no effect and no try is left"},
    Transition{StepState::unknown, StepState::failed, Cause::person_says_not_done,
               "a person has looked: it is not done"},
    Transition{StepState::failed, StepState::ready, Cause::retry, "tried again"},
    Transition{StepState::failed, StepState::skipped, Cause::skipped_by_person, "a person left it out, with a reason"},
    Transition{StepState::succeeded, StepState::compensating, Cause::undo_begins, "what it did is taken back"},
    Transition{StepState::failed, StepState::compensating, Cause::undo_begins, "what it did is taken back"},
    Transition{StepState::compensating, StepState::compensated, Cause::undone, "the target is as it was before"},
    Transition{StepState::compensating, StepState::compensation_failed, Cause::undo_failed,
               "it could not be taken back"},
    Transition{StepState::compensation_failed, StepState::compensating, Cause::retry, "taking it back is tried again"},
    Transition{StepState::compensated, StepState::ready, Cause::retry,
               "done again, as the step for which it was taken back is tried again"},
};

// The row of a move, or null: then the move is illegal.
constexpr const Transition* find_transition(StepState from, StepState to, Cause cause) {
    for (const Transition& row : step_transitions)
        if (row.from == from && row.to == to && row.cause == cause) return &row;
    return nullptr;
}

// Nothing more happens to it by itself.
constexpr bool is_settled(StepState state) {
    return state == StepState::succeeded || state == StepState::skipped || state == StepState::cancelled ||
           state == StepState::compensated || state == StepState::failed || state == StepState::compensation_failed;
}

// What other steps that need it may rely on.
constexpr bool is_done(StepState state) {
    return state == StepState::succeeded || state == StepState::skipped;
}

std::string_view to_string(StepState state);
std::string_view to_string(Cause cause);
std::optional<StepState> parse_step_state(std::string_view text);
std::optional<Cause> parse_cause(std::string_view text);

}  // namespace kedge
