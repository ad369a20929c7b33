// What is known of an action without running it: enough to check a plan, render it, and decide about it.
//
// The table itself stands in src/actions/; plan and engine are handed it and never see a driver.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "estate/estate.h"

namespace kedge {

// How an effect may be repeated after its answer was lost (invariants, "when the outcome is unknown").
enum class Effect {
    none,          // a check: it only looks
    idempotent,    // repeat with the same arguments
    keyed,         // repeat with the same key; the other side drops the second
    probed,        // look first; repeat only on a definite "not done"
    at_most_once,  // never repeated without a person
};
std::string_view to_string(Effect effect);

enum class ParameterType { text, integer, number, span, flag, region, target, step, texts };
std::string_view to_string(ParameterType type);

struct Parameter {
    std::string name;
    ParameterType type{};
    bool required = false;
    std::string fallback;  // as it would be written; empty = none
    std::string says;
};

// Something put into an unusual state, which somebody owes to put back.
struct Obligation {
    std::string name;     // "writes held", "fence", "redundancy"
    bool by_site = true;  // owed for target@region; otherwise for the target as a whole
    std::string says;     // "writes of {target} are held"
};

struct ActionType {
    std::string name;  // "postgres.promote"
    TargetKind on{};
    bool needs_region = true;  // `on: target@region`; otherwise `on: target`
    std::string says;          // one sentence: what it checks, or does
    Effect effect{};
    std::vector<Parameter> parameters;
    std::string undo;                 // the action that takes it back; empty = it cannot be taken back
    std::vector<Obligation> owes;     // opened when its intent is journalled
    std::vector<std::string> pays;    // names of obligations that its success closes
    bool point_of_no_return = false;  // once intended, the run only goes forward
    std::string danger;               // what people take upon themselves if they waive a block; empty = never
    std::string by_hand;              // what a person types instead; ${target} ${region} ${parameter}
    Span deadline{};                  // default for the step
    Span call_limit{};                // for one look or apply
    std::vector<std::string> grants;  // exact rights it needs, one a line, for `access explain`
};

using Catalogue = std::span<const ActionType>;
// The type of that name, or null; owned by the catalogue.
const ActionType* find_action(Catalogue catalogue, std::string_view name);

}  // namespace kedge
