#include "engine/step_state.h"

#include <utility>

namespace kedge {
namespace {

constexpr std::array state_names = {
    std::pair{StepState::pending, std::string_view("pending")},
    std::pair{StepState::ready, std::string_view("ready")},
    std::pair{StepState::waiting, std::string_view("waiting")},
    std::pair{StepState::running, std::string_view("running")},
    std::pair{StepState::succeeded, std::string_view("succeeded")},
    std::pair{StepState::failed, std::string_view("failed")},
    std::pair{StepState::unknown, std::string_view("unknown")},
    std::pair{StepState::skipped, std::string_view("skipped")},
    std::pair{StepState::cancelled, std::string_view("cancelled")},
    std::pair{StepState::compensating, std::string_view("compensating")},
    std::pair{StepState::compensated, std::string_view("compensated")},
    std::pair{StepState::compensation_failed, std::string_view("compensation_failed")},
};

constexpr std::array cause_names = {
    std::pair{Cause::needs_met, std::string_view("needs_met")},
    std::pair{Cause::rule_skips, std::string_view("rule_skips")},
    std::pair{Cause::rehearsal, std::string_view("rehearsal")},
    std::pair{Cause::gate_opened, std::string_view("gate_opened")},
    std::pair{Cause::blocked, std::string_view("blocked")},
    std::pair{Cause::granted, std::string_view("granted")},
    std::pair{Cause::rejected, std::string_view("rejected")},
    std::pair{Cause::expired, std::string_view("expired")},
    std::pair{Cause::dispatched, std::string_view("dispatched")},
    std::pair{Cause::already_so, std::string_view("already_so")},
    std::pair{Cause::confirmed, std::string_view("confirmed")},
    std::pair{Cause::refused, std::string_view("refused")},
    std::pair{Cause::not_shown, std::string_view("not_shown")},
    std::pair{Cause::contact_lost, std::string_view("contact_lost")},
    std::pair{Cause::controller_lost, std::string_view("controller_lost")},
    std::pair{Cause::effect_seen, std::string_view("effect_seen")},
    std::pair{Cause::effect_absent, std::string_view("effect_absent")},
    std::pair{Cause::person_says_done, std::string_view("person_says_done")},
    std::pair{Cause::person_says_not_done, std::string_view("person_says_not_done")},
    std::pair{Cause::retry, std::string_view("retry")},
    std::pair{Cause::skipped_by_person, std::string_view("skipped_by_person")},
    std::pair{Cause::cancelled, std::string_view("cancelled")},
    std::pair{Cause::undo_begins, std::string_view("undo_begins")},
    std::pair{Cause::undone, std::string_view("undone")},
    std::pair{Cause::undo_failed, std::string_view("undo_failed")},
};

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
    for (const auto& [known, name] : table)
        if (known == value) return name;
    return "?";
}

template <class Value, class Table>
std::optional<Value> value_of(const Table& table, std::string_view text) {
    for (const auto& [known, name] : table)
        if (name == text) return known;
    return std::nullopt;
}

}  // namespace

std::string_view to_string(StepState state) {
    return name_of(state_names, state);
}
std::string_view to_string(Cause cause) {
    return name_of(cause_names, cause);
}
std::optional<StepState> parse_step_state(std::string_view text) {
    return value_of<StepState>(state_names, text);
}
std::optional<Cause> parse_cause(std::string_view text) {
    return value_of<Cause>(cause_names, text);
}

}  // namespace kedge
