#include "engine/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "engine/events.h"

namespace kedge {
namespace {

constexpr std::array mode_names = {std::pair{Mode::live, std::string_view("live")},
                                   std::pair{Mode::drill, std::string_view("drill")},
                                   std::pair{Mode::rehearse, std::string_view("rehearse")}};
constexpr std::array phase_names = {std::pair{RunPhase::running, std::string_view("running")},
                                    std::pair{RunPhase::paused, std::string_view("paused")},
                                    std::pair{RunPhase::holding, std::string_view("holding")},
                                    std::pair{RunPhase::compensating, std::string_view("compensating")},
                                    std::pair{RunPhase::finishing, std::string_view("finishing")},
                                    std::pair{RunPhase::ended, std::string_view("ended")}};
constexpr std::array result_names = {std::pair{RunResult::succeeded, std::string_view("succeeded")},
                                     std::pair{RunResult::compensated, std::string_view("compensated")},
                                     std::pair{RunResult::failed, std::string_view("failed")},
                                     std::pair{RunResult::cancelled, std::string_view("cancelled")}};
constexpr std::array wait_names = {
    std::pair{WaitFor::nothing, std::string_view("nothing")}, std::pair{WaitFor::gate, std::string_view("gate")},
    std::pair{WaitFor::waiver, std::string_view("waiver")}, std::pair{WaitFor::person, std::string_view("person")}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
    for (const auto& [known, name] : table)
        if (known == value) return name;
    return "?";
}
template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view text) {
    for (const auto& [known, name] : table)
        if (name == text) return known;
    return std::nullopt;
}

Error unexplained(const Entry& entry, const std::string& why) {
    return {Fault::corrupt,
            fmt::format("journal entry {} of run {} cannot be true: {}", entry.position, entry.run, why),
            "run `kedge journal verify`; the run is not continued"};
}

// Every move between phases that some decision explains.
bool is_legal(RunPhase from, RunPhase to, RunPhase before_hold) {
    switch (from) {
        case RunPhase::running: return to != RunPhase::running && to != RunPhase::ended;
        case RunPhase::paused: return to == RunPhase::running || to == RunPhase::compensating;
        case RunPhase::holding: return to == before_hold || to == RunPhase::compensating || to == RunPhase::holding;
        case RunPhase::compensating: return to == RunPhase::holding || to == RunPhase::finishing;
        case RunPhase::finishing: return to == RunPhase::holding || to == RunPhase::ended;
        case RunPhase::ended: return false;
    }
    return false;
}

bool is_begun(StepState state) {
    return state != StepState::pending && state != StepState::ready && state != StepState::waiting;
}

}  // namespace

void add_evidence(SharedJson& evidence, const SharedJson& found) {
    if (!found->is_object() || found->empty()) return;
    if (evidence->empty()) {
        evidence = found;
        return;
    }
    Json both = evidence;
    both.update(found);
    evidence = std::move(both);
}

void add_evidence(SharedJson& evidence, const Entry& entry) {
    add_evidence(evidence, SharedJson::member(entry.body, "evidence"));
}

namespace {

// A plan's own gate is a step like any other: the first, which every step without needs then waits for.
void add_start_gate(BoundPlan& plan) {
    if (!plan.gate) return;
    BoundStep start;
    start.id = "start";
    start.title = "agree to start";
    start.kind = StepKind::person;
    start.gate = plan.gate;
    start.deadline = plan.gate->expires;
    for (BoundStep& step : plan.steps)
        if (!step.always && step.needs.empty()) step.needs.push_back(start.id);
    plan.steps.insert(plan.steps.begin(), std::move(start));
}

}  // namespace

std::string_view to_string(Mode mode) {
    return name_in(mode_names, mode);
}
std::optional<Mode> parse_mode(std::string_view text) {
    return value_in<Mode>(mode_names, text);
}
std::string_view to_string(RunPhase phase) {
    return name_in(phase_names, phase);
}
std::string_view to_string(RunResult result) {
    return name_in(result_names, result);
}
std::string_view to_string(WaitFor what) {
    return name_in(wait_names, what);
}

Draft started(const RunHeader& header, Moment now) {
    Json inputs = Json::object();
    for (const auto& [name, value] : header.inputs) inputs[name] = value;
    Json body = {{"plan_digest", header.plan_digest},     {"inputs", inputs},
                 {"inputs_digest", header.inputs_digest}, {"mode", to_string(header.mode)},
                 {"requester", header.requester},         {"reason", header.reason},
                 {"confirmed", header.confirmed},         {"estate_digest", header.estate_digest},
                 {"plan_text", header.plan_text},         {"estate_text", header.estate_text}};
    if (header.played) body["played"] = true;
    if (!header.drill.empty()) body["drill"] = header.drill;
    return {std::string(events::run_started), std::move(body), now};
}

Result<RunHeader> read_header(const Entry& first) {
    if (first.kind != events::run_started) return unexplained(first, "a run begins with run.started");
    const std::optional<Mode> mode = parse_mode(get_string(first.body, "mode").value_or(""));
    if (!mode) return unexplained(first, "it names no known mode");
    RunHeader header;
    header.plan_text = get_string(first.body, "plan_text").value_or("");
    header.plan_digest = get_string(first.body, "plan_digest").value_or("");
    header.estate_text = get_string(first.body, "estate_text").value_or("");
    header.estate_digest = get_string(first.body, "estate_digest").value_or("");
    header.inputs_digest = get_string(first.body, "inputs_digest").value_or("");
    header.mode = *mode;
    header.requester = get_string(first.body, "requester").value_or("");
    header.reason = get_string(first.body, "reason").value_or("");
    header.confirmed = get_string(first.body, "confirmed").value_or("");
    header.played = get_bool(first.body, "played").value_or(false);
    header.drill = get_string(first.body, "drill").value_or("");
    for (const auto& [name, value] : get(first.body, "inputs").items())
        if (value.is_string()) header.inputs[name] = value.get<std::string>();
    return header;
}

Course::Course(BoundPlan bound, Catalogue catalogue) : plan(std::move(bound)) {
    add_start_gate(plan);
    const std::size_t count = plan.steps.size();
    dependents.resize(count);
    needs.resize(count);
    undo.resize(count);
    while (first_always < count && !plan.steps[first_always].always) ++first_always;
    for (std::size_t i = 0; i < count; ++i) {
        const BoundStep& step = plan.steps[i];
        check(step.always == (i >= first_always), "`always` steps stand last");
        check(index.emplace(step.id, i).second, "no two steps of a plan have the same id");
        if (step.type != nullptr && !step.type->undo.empty()) {
            undo[i] = find_action(catalogue, step.type->undo);
            check(undo[i] != nullptr, "an action's undo is an action of the catalogue");
        }
    }
    for (std::size_t i = 0; i < count; ++i)
        for (const std::string& need : plan.steps[i].needs) {
            const auto found = index.find(need);
            check(found != index.end(), "a bound plan needs only steps of its own");
            dependents[found->second].push_back(i);
            ++needs[i];
        }
}

RunState::RunState(RunId id, BoundPlan plan, Catalogue catalogue)
    : RunState(std::move(id), std::make_shared<const Course>(std::move(plan), catalogue)) {}

RunState::RunState(RunId id, std::shared_ptr<const Course> course)
    : id_(std::move(id)),
      course_(std::move(course)),
      records_(size()),
      unmet_(course_->needs),
      unsettled_(first_always()),
      not_begun_(first_always()) {
    for (std::size_t i = 0; i < size(); ++i) held_up_ += is_held_up(i);
}

bool RunState::is_held_up(std::size_t index) const {
    return index < first_always() && records_[index].state == StepState::pending && unmet_[index] > 0;
}

std::optional<std::size_t> RunState::find(std::string_view step) const {
    const auto found = course_->index.find(std::string(step));
    if (found == course_->index.end()) return std::nullopt;
    return found->second;
}

Result<void> RunState::fold(const Entry& entry) {
    if (entry.run != id_) return unexplained(entry, "it belongs to another run");
    if (entry.position <= last_) return unexplained(entry, "it was folded before");
    if (entry.epoch < epoch_) return unexplained(entry, "its epoch has passed");
    if (phase_ == RunPhase::ended) return unexplained(entry, "the run had ended");
    const bool first = last_ == 0;
    if (first != (entry.kind == events::run_started)) return unexplained(entry, "a run begins once");

    if (first) {
        header_ = std::make_shared<const RunHeader>(TRY(read_header(entry)));
        started_at_ = entry.time;
    } else if (entry.kind == events::step_moved) {
        TRY(fold_step(entry));
    } else if (entry.kind == events::step_waits) {
        const std::optional<std::size_t> step = find(get_string(entry.body, "step").value_or(""));
        if (!step || is_settled(records_[*step].state)) return unexplained(entry, "it names no step that could wait");
        // Why the contact was lost must not be lost.
        if (records_[*step].state != StepState::unknown)
            records_[*step].says = get_string(entry.body, "says").value_or("");
    } else if (entry.kind == events::request_judged) {
        TRY(fold_request(entry));
    } else if (entry.kind == events::run_phase) {
        TRY(fold_phase(entry));
    } else if (entry.kind != events::run_claimed) {
        return unexplained(entry, fmt::format("'{}' is no kind of entry", entry.kind));
    }
    epoch_ = entry.epoch;
    last_ = entry.position;
    return {};
}

Result<void> RunState::fold_phase(const Entry& entry) {
    const std::optional<RunPhase> to = value_in<RunPhase>(phase_names, get_string(entry.body, "phase").value_or(""));
    if (!to) return unexplained(entry, "it names no known phase");
    if (!is_legal(phase_, *to, before_hold_))
        return unexplained(entry, fmt::format("a run that is {} cannot be {}", to_string(phase_), to_string(*to)));
    if (*to == RunPhase::ended) {
        result_ = value_in<RunResult>(result_names, get_string(entry.body, "result").value_or(""));
        if (!result_) return unexplained(entry, "an end without a result");
        ended_at_ = entry.time;
    }
    if (phase_ != RunPhase::holding && (*to == RunPhase::holding || *to == RunPhase::paused)) before_hold_ = phase_;
    phase_ = *to;
    phase_says_ = get_string(entry.body, "says").value_or("");
    cancelling_ = cancelling_ || get_bool(entry.body, "cancelling").value_or(false);
    return {};
}

Result<void> RunState::fold_step(const Entry& entry) {
    const std::optional<std::size_t> found = find(get_string(entry.body, "step").value_or(""));
    const std::optional<StepState> to = parse_step_state(get_string(entry.body, "to").value_or(""));
    const std::optional<Cause> cause = parse_cause(get_string(entry.body, "cause").value_or(""));
    if (!found || !to || !cause) return unexplained(entry, "it names no step, state or cause that is known");
    const BoundStep& step = course_->plan.steps[*found];
    StepRecord& record = records_[*found];
    const StepState from = record.state;
    if (find_transition(from, *to, *cause) == nullptr)
        return unexplained(entry, fmt::format("step {} cannot go from {} to {} because of {}", step.id, to_string(from),
                                              to_string(*to), to_string(*cause)));
    held_up_ -= is_held_up(*found);
    record.state = *to;
    record.cause = *cause;
    record.says = get_string(entry.body, "says").value_or("");
    add_evidence(record.evidence, entry);

    switch (*to) {
        case StepState::ready: fold_ready(record, from, entry.time); break;
        case StepState::waiting: TRY(fold_waiting(record, entry)); break;
        case StepState::running: TRY(fold_running(step, record, *cause, entry)); break;
        case StepState::succeeded:
            record.completed = ++completed_;
            if (step.type != nullptr)
                for (const std::string& name : step.type->pays) pay(name, step.target, step.region);
            break;
        case StepState::compensating:
            record.intended_at = entry.time;
            record.taken_over_by.clear();
            break;
        case StepState::compensated:
            if (step.type != nullptr)
                for (const Obligation& owed : step.type->owes) pay(owed.name, step.target, step.region);
            break;
        case StepState::unknown: record.cut_short += *cause == Cause::controller_lost; break;
        case StepState::pending:
        case StepState::failed:
        case StepState::skipped:
        case StepState::cancelled:
        case StepState::compensation_failed: break;
    }
    if (is_settled(*to)) record.ended_at = entry.time;
    if (!step.always) {
        if (is_settled(*to) != is_settled(from)) is_settled(*to) ? --unsettled_ : ++unsettled_;
        if (is_begun(*to) != is_begun(from)) is_begun(*to) ? --not_begun_ : ++not_begun_;
    }
    const auto lets_go_on = [&](StepState state) {
        return is_done(state) || (state == StepState::failed && step.if_failed != IfFailed::stop);
    };
    if (lets_go_on(*to) != lets_go_on(from))  // what was done and is taken back is needed again
        for (const std::size_t dependent : course_->dependents[*found]) {
            held_up_ -= is_held_up(dependent);
            lets_go_on(*to) ? --unmet_[dependent] : ++unmet_[dependent];
            held_up_ += is_held_up(dependent);
        }
    sort_in(*found);
    return {};
}

void RunState::fold_ready(StepRecord& record, StepState from, Moment time) {
    if (from == StepState::waiting) {
        if (record.waits_for == WaitFor::waiver) {
            record.waived_by.clear();
            for (const Grant& grant : record.grants) record.waived_by.push_back(grant.who);
        } else {
            record.gate_passed = true;
        }
        record.granted_at = time;
        record.waits_for = WaitFor::nothing;
    }
    if (is_settled(from)) {  // tried again: what people agreed to was the try before
        record.gate_passed = false;
        record.waived_by.clear();
    }
    record.intended = false;
    record.ready_at = time;
}

Result<void> RunState::fold_waiting(StepRecord& record, const Entry& entry) {
    const std::optional<WaitFor> what = value_in<WaitFor>(wait_names, get_string(entry.body, "waits_for").value_or(""));
    if (!what || *what == WaitFor::nothing) return unexplained(entry, "a step that waits, for nothing");
    record.waits_for = *what;
    record.digest = get_string(entry.body, "digest").value_or("");
    record.asks = get_string(entry.body, "asks").value_or("");
    record.waiting_since = entry.time;
    record.grants.clear();
    return {};
}

Result<void> RunState::fold_running(const BoundStep& step, StepRecord& record, Cause cause, const Entry& entry) {
    if (!record.started_at) record.started_at = entry.time;
    const bool intent = get_bool(entry.body, "intent").value_or(false);
    if (intent != (cause == Cause::dispatched))
        return unexplained(entry, fmt::format("step {} has an effect exactly if it is dispatched", step.id));
    if (!intent) return {};
    if (step.type == nullptr || step.type->effect == Effect::none)
        return unexplained(entry, fmt::format("step {} has no effect to intend", step.id));
    record.intended = true;
    record.intended_at = entry.time;
    ++record.attempt;
    past_no_return_ = past_no_return_ || step.type->point_of_no_return;
    fold_obligations(step, entry.time);
    return {};
}

void RunState::sort_in(std::size_t index) {
    const auto put = [](auto& set, const auto& value, bool in) {
        in ? void(set.insert(value)) : void(set.erase(value));
    };
    const StepRecord& record = records_[index];
    const bool always = course_->plan.steps[index].always;
    const bool stops = course_->plan.steps[index].if_failed == IfFailed::stop;
    put(failed_, index, !always && stops && record.state == StepState::failed);
    put(unknown_, index, record.state == StepState::unknown);
    put(stuck_, index, record.state == StepState::compensation_failed && record.taken_over_by.empty());
    effects_.erase({SIZE_MAX, index});
    effects_.erase({record.completed, index});
    if (always || course_->undo[index] == nullptr || record.attempt == 0) return;
    if (record.state == StepState::failed) effects_.insert({SIZE_MAX, index});
    if (record.state == StepState::succeeded) effects_.insert({record.completed, index});
}

std::optional<std::size_t> RunState::newest_effect() const {
    if (effects_.empty()) return std::nullopt;
    return effects_.rbegin()->second;
}

Result<void> RunState::fold_request(const Entry& entry) {
    if (!get_bool(entry.body, "accepted").value_or(false)) return {};
    const std::string verb = get_string(entry.body, "verb").value_or("");
    const std::string who = get_string(entry.body, "who").value_or("");
    const std::string step = get_string(entry.body, "step").value_or("");
    if (verb == "take_over") {
        for (OpenObligation& owed : obligations_)
            if (owed.owner.empty() && (step.empty() || owed.step == step)) owed.owner = who;
        const std::vector<std::size_t> stuck(stuck_.begin(), stuck_.end());
        for (const std::size_t index : stuck)
            if (step.empty() || course_->plan.steps[index].id == step) {
                records_[index].taken_over_by = who;
                sort_in(index);
            }
    }
    const std::optional<std::size_t> found = find(step);
    if (!found) return {};
    StepRecord& record = records_[*found];
    if (verb == "approve" || verb == "confirm" || verb == "waive" || verb == "done")
        record.grants.push_back({who, verb, get_bool(entry.body, "played").value_or(false), entry.time});
    if (verb == "withdraw") std::erase_if(record.grants, [&](const Grant& grant) { return grant.who == who; });
    return {};
}

void RunState::fold_obligations(const BoundStep& step, Moment time) {
    for (const Obligation& owed : step.type->owes) {
        const std::string region = owed.by_site ? step.region : "";
        const auto same = [&](const OpenObligation& open) {
            return open.name == owed.name && open.target == step.target && open.region == region;
        };
        if (std::any_of(obligations_.begin(), obligations_.end(), same)) continue;
        std::string says = owed.says;
        for (const auto& [word, value] :
             {std::pair<std::string, std::string>{"{target}", step.target}, {"{region}", step.region}})
            for (std::size_t at = says.find(word); at != std::string::npos; at = says.find(word, at + value.size()))
                says.replace(at, word.size(), value);
        obligations_.push_back({owed.name, step.target, region, std::move(says), step.id, time, {}});
    }
}

void RunState::pay(const std::string& name, const std::string& target, const std::string& region) {
    std::erase_if(obligations_, [&](const OpenObligation& open) {
        return open.name == name && open.target == target && (open.region.empty() || open.region == region);
    });
}

}  // namespace kedge
