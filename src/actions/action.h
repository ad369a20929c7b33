// The verbs that plans use. An action has at most one effect and never waits: `look` reads, `apply` makes the one
// effect, and the engine looks again to see whether it is there. Polling and retries are the engine's.
//
// Actions see target interfaces, never drivers. All their functions may be called from several threads at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/action_type.h"
#include "plan/look.h"
#include "targets/targets.h"

namespace kedge {

// What another step of the same run has come to, for actions that need its evidence. The texts are the bound plan's.
struct Fact {
    std::string_view step, action, target, region;
    bool succeeded = false;
    bool risk_taken = false;  // people took the risk of its block
    SharedJson evidence = SharedJson::object();
};

// Everything a call may know. Lives only while the call does.
struct Call {
    const Targets& targets;
    std::string target, region;
    std::vector<std::string> regions;            // every site of the target
    SharedJson with = SharedJson::object();      // every parameter of the action
    SharedJson evidence = SharedJson::object();  // what this step has found so far (for an undo: before it acted)
    std::vector<Fact> facts;                     // the steps that are settled or waived, in the plan's order
    std::shared_ptr<const void> plan;            // keeps alive what the texts of the facts belong to
    std::string key;                             // unique for run and step: makes what it writes repeatable
    bool waived = false;                         // two people took the risk that blocks it
    bool accepted = false;                       // the target took the order of this attempt
    Moment now{}, deadline{};

    // Parameters, by their declared type; the binding has checked that they are there and of that type.
    std::string text(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;
    double number(std::string_view name) const;
    Span span(std::string_view name) const;
    bool flag(std::string_view name) const;
    bool has(std::string_view name) const;  // given, and not empty

    // The target behind `target`, by kind; not_found if the estate binds no driver to it.
    Result<Database*> database() const;
    Result<Cache*> cache() const;
    Result<Application*> application() const;
    Result<Traffic*> traffic() const;
    Result<Store*> store() const;
    Result<Channel*> channel() const;
    Result<Metrics*> metrics() const;
    Result<Logs*> logs() const;
    Result<Migration*> migration() const;
    Result<Index*> index() const;
    Result<Backups*> backups() const;  // of the estate, whatever the target
    Result<Recoveries*> recoveries() const;
};

struct Action {
    ActionType type;
    Result<Look> (*look)(const Call& call) = nullptr;
    // Makes the effect, or asks for it; what it learned on the way joins the step's evidence. Null for a check.
    Result<Json> (*apply)(const Call& call) = nullptr;
};

// Every action there is. The table is built once and never changes.
const std::vector<Action>& actions();
const Action* find_action(std::string_view name);
// The types alone, in the same order.
Catalogue catalogue();

}  // namespace kedge
