#include "plan/action_type.h"

#include <algorithm>

namespace kedge {

std::string_view to_string(Effect effect) {
    switch (effect) {
        case Effect::none: return "none";
        case Effect::idempotent: return "idempotent";
        case Effect::keyed: return "keyed";
        case Effect::probed: return "probed";
        case Effect::at_most_once: return "at_most_once";
    }
    return {};
}

std::string_view to_string(ParameterType type) {
    switch (type) {
        case ParameterType::text: return "text";
        case ParameterType::integer: return "integer";
        case ParameterType::number: return "number";
        case ParameterType::span: return "span";
        case ParameterType::flag: return "flag";
        case ParameterType::region: return "region";
        case ParameterType::target: return "target";
        case ParameterType::step: return "step";
        case ParameterType::texts: return "texts";
    }
    return {};
}

const ActionType* find_action(Catalogue catalogue, std::string_view name) {
    const auto found = std::ranges::find(catalogue, name, &ActionType::name);
    return found != catalogue.end() ? &*found : nullptr;
}

}  // namespace kedge
