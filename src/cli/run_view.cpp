#include "cli/run_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/events.h"

namespace kedge {
namespace {

std::size_t count_of(const StepRecord& record, std::string_view verb) {
    return static_cast<std::size_t>(
        std::ranges::count_if(record.grants, [&](const Grant& grant) { return grant.verb == verb; }));
}

Json moment_or_null(const std::optional<Moment>& moment) {
    return moment ? Json(to_string(*moment)) : Json();
}

Json grants_json(const std::vector<Grant>& grants) {
    Json list = Json::array();
    for (const Grant& grant : grants)
        list.push_back(
            {{"who", grant.who}, {"verb", grant.verb}, {"played", grant.played}, {"at", to_string(grant.at)}});
    return list;
}

std::string_view word_of(StepKind kind) {
    switch (kind) {
        case StepKind::check: return "check";
        case StepKind::act: return "act";
        case StepKind::person: return "person";
    }
    return {};
}

// The confirmation that the step's gate asks for and that nobody has typed yet.
bool lacks_confirmation(const RunState& state, std::size_t step) {
    const BoundStep& bound = state.bound(step);
    const StepRecord& record = state.record(step);
    if (record.waits_for == WaitFor::waiver || !bound.gate || bound.gate->confirm.empty()) return false;
    return count_of(record, "confirm") == 0 &&
           !(bound.id == "start" && state.header().confirmed == bound.gate->confirm);
}

}  // namespace

std::optional<Span> time_taken(const StepRecord& record, Moment now) {
    const std::optional<Moment>& began = record.ready_at ? record.ready_at : record.started_at;
    if (!began || record.state == StepState::waiting) return std::nullopt;
    return record.ended_at.value_or(now) - *began;
}

std::string still_needed(const RunState& state, std::size_t step) {
    const BoundStep& bound = state.bound(step);
    const StepRecord& record = state.record(step);
    if (record.waits_for == WaitFor::waiver)
        return fmt::format("{} of 2 people to take the risk by name", count_of(record, "waive"));
    std::vector<std::string> needs;
    if (record.waits_for == WaitFor::person && count_of(record, "done") == 0)
        needs.emplace_back("somebody to do it by hand");
    if (lacks_confirmation(state, step)) needs.push_back(fmt::format("'{}' to be typed", bound.gate->confirm));
    if (bound.gate && bound.gate->approvals > 0) {
        std::string roles;
        if (!bound.gate->roles.empty()) roles = fmt::format(" by {}", fmt::join(bound.gate->roles, " or "));
        needs.push_back(fmt::format("{} of {} {}{}", count_of(record, "approve"), bound.gate->approvals,
                                    bound.gate->approvals == 1 ? "approval" : "approvals", roles));
    }
    return fmt::format("{}", fmt::join(needs, ", "));
}

std::string answer_command(const RunState& state, std::size_t step) {
    const StepRecord& record = state.record(step);
    const std::string& id = state.bound(step).id;
    if (record.state == StepState::unknown)
        return fmt::format("kedge run resolve {} {} --as done|not-done", state.id(), id);
    std::string_view verb = "approve";
    if (record.waits_for == WaitFor::waiver)
        verb = "waive";
    else if (record.waits_for == WaitFor::person && count_of(record, "done") == 0)
        verb = "done";
    else if (lacks_confirmation(state, step))
        verb = "confirm";
    return fmt::format("kedge run {} {} {}", verb, state.id(), id);
}

std::vector<std::size_t> steps_for_people(const RunState& state) {
    std::vector<std::size_t> steps;
    for (std::size_t i = 0; i < state.size(); ++i)
        if (state.record(i).state == StepState::waiting || state.record(i).state == StepState::unknown)
            steps.push_back(i);
    return steps;
}

std::string doing(const BoundStep& step) {
    if (step.type == nullptr) return step.asks.empty() ? step.title : step.asks;
    return fmt::format("{} {}{}{}", step.type->name, step.target, step.region.empty() ? "" : "@", step.region);
}

Json obligation_json(const OpenObligation& owed) {
    return {{"name", owed.name}, {"target", owed.target}, {"region", owed.region},         {"says", owed.says},
            {"step", owed.step}, {"owner", owed.owner},   {"since", to_string(owed.since)}};
}

Json step_json(const RunState& state, std::size_t step) {
    const BoundStep& bound = state.bound(step);
    const StepRecord& record = state.record(step);
    Json json = {{"id", bound.id},
                 {"title", bound.title},
                 {"kind", word_of(bound.kind)},
                 {"action", bound.type != nullptr ? bound.type->name : ""},
                 {"target", bound.target},
                 {"region", bound.region},
                 {"needs", bound.needs},
                 {"always", bound.always},
                 {"state", to_string(record.state)},
                 {"cause", to_string(record.cause)},
                 {"says", record.says},
                 {"attempt", record.attempt},
                 {"ready_at", moment_or_null(record.ready_at)},
                 {"started_at", moment_or_null(record.started_at)},
                 {"ended_at", moment_or_null(record.ended_at)},
                 {"evidence", *record.evidence},
                 {"waived_by", record.waived_by},
                 {"grants", grants_json(record.grants)}};
    if (record.ended_at)
        if (const auto took = time_taken(record, *record.ended_at)) json["duration_seconds"] = seconds(*took);
    if (record.state == StepState::waiting) {
        json["waits_for"] = to_string(record.waits_for);
        json["still_needed"] = still_needed(state, step);
        json["asks"] = record.asks;
        json["digest"] = record.digest;
        json["waiting_since"] = moment_or_null(record.waiting_since);
    }
    return json;
}

Json run_json(const RunState& state, const std::optional<std::string>& controller) {
    const RunHeader& header = state.header();
    Json inputs = Json::object();
    for (const auto& [name, value] : header.inputs) inputs[name] = value;
    Json json = {{"id", state.id()},
                 {"plan", state.plan().name},
                 {"summary", state.plan().summary},
                 {"mode", to_string(header.mode)},
                 {"inputs", inputs},
                 {"requester", header.requester},
                 {"played", header.played},
                 {"reason", header.reason},
                 {"drill", header.drill},
                 {"phase", to_string(state.phase())},
                 {"says", state.phase_says()},
                 {"result", state.result() ? Json(to_string(*state.result())) : Json()},
                 {"past_no_return", state.past_no_return()},
                 {"cancelling", state.cancelling()},
                 {"started_at", to_string(state.started_at())},
                 {"ended_at", moment_or_null(state.ended_at())},
                 {"epoch", state.epoch()},
                 {"controller", controller ? Json(*controller) : Json()},
                 {"targets", state.plan().targets},
                 {"plan_digest", state.plan().plan_digest},
                 {"inputs_digest", state.plan().inputs_digest}};
    if (state.ended_at()) json["duration_seconds"] = seconds(*state.ended_at() - state.started_at());
    json["steps"] = Json::array();
    for (std::size_t i = 0; i < state.size(); ++i) json["steps"].push_back(step_json(state, i));
    json["obligations"] = Json::array();
    for (const OpenObligation& owed : state.obligations()) json["obligations"].push_back(obligation_json(owed));
    return json;
}

std::optional<std::string> change_line(const RunState& state, const Entry& entry) {
    const auto text = [&](std::string_view key) { return get_string(entry.body, key).value_or(""); };
    std::string change;
    if (entry.kind == events::run_started) {
        change = fmt::format("started {} mode={}", state.plan().name, text("mode"));
    } else if (entry.kind == events::run_claimed) {
        change = fmt::format("resumed by {}", text("controller"));
    } else if (entry.kind == events::run_phase) {
        change = text("phase");
        if (const std::string result = text("result"); !result.empty()) change += " " + result;
    } else if (entry.kind == events::request_judged) {
        const bool accepted = get_bool(entry.body, "accepted").value_or(false);
        change = fmt::format("{} {} by {} {}", text("step").empty() ? "run" : text("step"), text("verb"),
                             text("who").empty() ? "nobody known" : text("who"), accepted ? "accepted" : "refused");
    } else if (entry.kind == events::step_waits) {
        change = text("step") + " goes on waiting";
    } else if (entry.kind == events::step_moved) {
        const std::optional<std::size_t> step = state.find(text("step"));
        const std::string to = text("to"), cause = text("cause");
        const bool intent = get_bool(entry.body, "intent").value_or(false);
        if (!step || (to == "running" && !intent) || (to == "ready" && cause == "needs_met")) return std::nullopt;
        change = fmt::format("{} {}", text("step"), to);
        const StepRecord& record = state.record(*step);
        if (to == "running") change += fmt::format(" attempt={}", record.attempt);
        if (record.ended_at == entry.time && (to == "succeeded" || to == "failed"))
            if (const auto took = time_taken(record, entry.time)) change += fmt::format(" ({})", readable(*took));
        if (to == "waiting")
            if (const std::string needed = still_needed(state, *step); !needed.empty()) change += " " + needed;
    } else {
        return std::nullopt;
    }
    const std::string says = printable(text("says"));
    return fmt::format("{} {} {}{}{}", to_string(entry.time), entry.run, printable(change), says.empty() ? "" : ": ",
                       says);
}

}  // namespace kedge
