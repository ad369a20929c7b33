// What a drill found, in the form of the runbook's drill report: every field from measurement, or named as not
// measured. Pure: record in, text out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "response/heartbeats.h"

namespace kedge {

enum class DrillResult { pass, partial, fail };
std::string_view to_string(DrillResult result);

enum class Check { done, open, failed };

struct ChecklistLine {
    std::string text;
    Check check = Check::open;
    std::string evidence;
};

struct DrillEvent {
    Moment at{};
    std::string what, notes;
};

struct DrillStep {
    std::string run, id, action, state, says;
    std::optional<Span> took;
    Json evidence = Json::object();
};

// One service or one store against its objective.
struct ServiceOutcome {
    std::string name, tier;
    Span rto_objective{};
    std::optional<Span> rto;  // from the fault until what it stands on served again
    std::string says;
};

struct StoreOutcome {
    std::string name, tier;
    Span rpo_objective{};
    std::optional<Outage> outage;
    std::optional<Loss> loss;  // nothing = could not be read back
    Span announced{};          // how far back a loss was announced as possible before it was risked
    std::string announced_by;
};

struct DrillAction {
    std::string action, owner;
    std::string due;  // yyyy-mm-dd
};

struct DrillRecord {
    std::string id, type, plan, estate, fault;
    Moment began{}, ended{};
    std::vector<std::string> participants;
    bool played = false;
    std::vector<std::string> objectives;
    Span rto_objective{}, rpo_objective{};  // of the strictest tier
    std::optional<Moment> fault_at, declared_at, verified_at, failback_began, failback_ended;
    std::vector<DrillEvent> timeline;
    std::vector<DrillStep> steps;
    std::vector<ServiceOutcome> services;  // strictest tier first
    std::vector<StoreOutcome> stores;
    std::vector<ChecklistLine> before, during, after;
    std::vector<std::string> issues;
    std::vector<std::string> limits;     // what this ground cannot show
    std::string lead, engineering_lead;  // for the sign-off lines
    bool finished = false;               // every run of it succeeded
};

// Judged once, here: fail on a missed objective, a loss that was not announced, or a run that failed; partial on
// anything not measured or left open; pass otherwise.
DrillResult judge(const DrillRecord& record);
// What follows from the record without anybody's opinion.
std::vector<DrillAction> action_items(const DrillRecord& record);
std::vector<std::string> recommendations(const DrillRecord& record);
// How many writes were acknowledged, and how many of those are missing: announced as at risk before the risk was
// taken, or not. Unknown if a store was not read back.
struct Integrity {
    std::int64_t acknowledged = 0, announced = 0, unannounced = 0;
};
std::optional<Integrity> integrity(const DrillRecord& record);

std::string to_markdown(const DrillRecord& record);
Json to_json(const DrillRecord& record);

}  // namespace kedge
