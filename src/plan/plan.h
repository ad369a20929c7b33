// A recovery plan as it stands in its file, and the same plan bound to an estate and inputs.
//
// Form in docs/formats/plan.md. `parse_plan` (parse.h) checks all that the file alone can show; `bind_plan`
// (bind.h) all that needs inputs, estate and catalogue. A bound plan is what the engine runs: nothing in it is
// left to be looked up, and its digest is pinned for the life of the run.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "document/read.h"
#include "plan/action_type.h"

namespace kedge {

enum class InputType { region, target, text, integer, number, span, flag, choice };

struct Input {
    std::string name;
    InputType type{};
    std::vector<std::string> choices;     // for choice
    std::optional<std::string> fallback;  // absent = must be given
    std::string says;
};

// Where a run waits for people. Quorum is of distinct persons, none of them the requester.
struct Gate {
    std::string confirm;  // text the requester types; empty = none
    int approvals = 0;
    std::vector<std::string> roles;  // an approver must hold one of them; empty = any person with a login
    Span expires = std::chrono::minutes{30};
    std::string says;  // what is asked, and what cannot be kept
};

enum class StepKind { check, act, person };
enum class IfBlocked { stop, ask };  // ask: two people may take the risk by name
// What the failure of a step means to the others. With go_on and ignore they go on, those that need it too; after
// go_on the run has failed in the end, after ignore it may still succeed.
enum class IfFailed { stop, go_on, ignore };

struct Step {
    std::string id;
    std::string title;  // for people; may be empty
    StepKind kind{};
    std::string action;                       // empty for a person's step
    std::string on;                           // "aragora-postgres@${to}"
    Json with = Json::object();               // parameters as written
    std::vector<std::string> needs;           // ids that must be done before
    std::map<std::string, std::string> when;  // input -> value; otherwise the step is skipped
    std::string deadline;                     // a span, or `${input}`; empty = the action's own
    std::string steady;  // as deadline: a check must hold for so long without a break; a definite no fails it
    int attempts = 3;
    IfBlocked if_blocked = IfBlocked::stop;
    IfFailed if_failed = IfFailed::stop;
    std::vector<std::string> undo_on_failure;  // if this step fails, these are taken back, then the run holds
    std::optional<Gate> gate;
    std::string asks;  // person: what is to be done by hand
    int line = 0;
    std::string pointer;  // where it stands in the file: "/steps/3"
};

struct Link {
    std::string title, to;
};

// An obligation that the plan ends with on purpose: somebody takes it over by name.
struct Left {
    std::string obligation;  // "redundancy"
    std::string says;        // why, and what pays it
};

struct Plan {
    std::string name;
    std::string summary;
    std::vector<std::string> answers;  // disaster categories: L1 ... L6
    std::string owner;
    std::string review_by;  // a date, yyyy-mm-dd
    std::vector<Link> links;
    std::string drill;  // the kind of drill that it serves, "regional failover"; may be empty
    std::vector<Input> inputs;
    std::optional<Gate> gate;
    std::vector<Step> steps;
    std::vector<Step> always;        // done at the end whatever happened, in order
    std::vector<Left> leaves;        // obligations that stay open
    std::string path, text, digest;  // the file; SHA-256 of its text
    Places places;                   // of everything in it, for messages

    const Input* input(std::string_view name) const;  // null if there is none
    const Step* step(std::string_view id) const;      // `always` steps too
};

// One step with everything filled in.
struct BoundStep {
    std::string id, title;
    StepKind kind{};
    const ActionType* type = nullptr;        // null for a person's step; owned by the catalogue
    std::string target, region;              // region empty where the action needs none
    SharedJson with = SharedJson::object();  // every parameter, defaults included, checked against its type
    std::vector<std::string> needs;
    std::string skipped_because;  // not empty: a rule of the plan skips it
    Span deadline{};
    std::optional<Span> steady;
    int attempts = 1;
    IfBlocked if_blocked = IfBlocked::stop;
    IfFailed if_failed = IfFailed::stop;
    std::vector<std::string> undo_on_failure;
    std::optional<Gate> gate;
    std::string asks;
    bool always = false;
};

struct BoundPlan {
    std::string name, summary, drill;
    std::map<std::string, std::string> inputs;
    std::optional<Gate> gate;
    std::vector<BoundStep> steps;      // `always` steps last
    std::vector<std::string> targets;  // that it changes, sorted: what a run holds
    std::string plan_digest, inputs_digest;

    const BoundStep* step(std::string_view id) const;
};

}  // namespace kedge
