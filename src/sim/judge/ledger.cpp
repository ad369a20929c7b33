#include "sim/judge/ledger.h"

#include <algorithm>
#include <array>

#include "engine/events.h"

namespace kedge::sim {
namespace {

constexpr std::array phases{RunPhase::running,      RunPhase::paused,    RunPhase::holding,
                            RunPhase::compensating, RunPhase::finishing, RunPhase::ended};

}  // namespace

const CacheCopies::Copy* recovered_of(const World& world, const CacheModel& cache) {
    for (const auto& [name, copy] : world.recoveries->of_caches().copies())
        if (copy.cache == &cache && copy.stage == CacheCopies::Stage::recovered) return &copy;
    return nullptr;
}

Ledger::Ledger(const World& world, const BoundPlan& plan, const Estate& estate, std::string requester)
    : world_(world), plan_(plan), estate_(estate), requester_(std::move(requester)), lines_(plan.steps.size()) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) index_[plan.steps[i].id] = i;
}

bool Ledger::waits_for_the_end(std::size_t step) const {
    const auto after = index_.find(get_string(plan_.steps[step].with, "after").value_or(""));
    return after != index_.end() && lines_[after->second].state == StepState::succeeded;
}

bool Ledger::stands(std::string_view action, std::string_view region) const {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        const BoundStep& step = plan_.steps[i];
        if (step.type == nullptr || step.type->name != action) continue;
        if (!region.empty() && step.region != region) continue;
        if (lines_[i].state == StepState::succeeded || lines_[i].risk_taken) return true;
    }
    return false;
}

void Ledger::take(const Entry& entry, const std::function<void(const Move&)>& moved,
                  const std::function<void(const Verdict&)>& judged) {
    if (entry.epoch < epoch_) ++stale_epochs_;
    epoch_ = std::max(epoch_, entry.epoch);
    if (entry.kind == events::run_started) mode_ = get_string(entry.body, "mode").value_or("");
    if (entry.kind == events::step_moved) take_move(entry, moved);
    if (entry.kind == events::request_judged) take_verdict(entry, judged);
    if (entry.kind != events::run_phase) return;
    const std::string word = get_string(entry.body, "phase").value_or("");
    for (const RunPhase one : phases)
        if (to_string(one) == word) phase_ = one;
    phase_says_ = get_string(entry.body, "says").value_or("");
    if (phase_ != RunPhase::ended) return;
    ended_at_ = now();
    succeeded_ = get_string(entry.body, "result") == to_string(RunResult::succeeded);
}

void Ledger::take_move(const Entry& entry, const std::function<void(const Move&)>& moved) {
    const auto found = index_.find(get_string(entry.body, "step").value_or(""));
    const auto to = parse_step_state(get_string(entry.body, "to").value_or(""));
    const auto cause = parse_cause(get_string(entry.body, "cause").value_or(""));
    if (found == index_.end() || !to || !cause) return;
    const Move move{.step = found->second,
                    .from = lines_[found->second].state,
                    .to = *to,
                    .cause = *cause,
                    .intent = get_bool(entry.body, "intent").value_or(false),
                    .epoch = entry.epoch,
                    .at = entry.time};
    moved(move);  // judged on what stood before it
    apply(move, entry);
}

void Ledger::apply(const Move& move, const Entry& entry) {
    StepLine& line = lines_[move.step];
    line.state = move.to;
    add_evidence(line.evidence, entry);
    if (move.to == StepState::waiting) {
        line.digest = get_string(entry.body, "digest").value_or("");
        line.grants.clear();
    }
    if (move.to == StepState::ready && move.cause == Cause::granted) {
        line.agreed = line.grants;
        line.risk_taken = line.risk_taken || line.grants["waive"].size() >= 2;
    }
    if (move.cause == Cause::retry) line.intents_since_person = 0;
    // An attempt that ended with its controller says nothing about the target, so it is not one of the plan's.
    if (move.to == StepState::unknown && move.cause == Cause::controller_lost && line.acted)
        --line.intents_since_person;
    if (move.to == StepState::ready) {
        line.acted = false;
        line.ready_at = now();
    }
    if (move.intent) {
        ++line.intents;
        ++line.intents_since_person;
        line.intent_epoch = move.epoch;
        line.acted = true;
        const ActionType* type = plan_.steps[move.step].type;
        past_no_return_ = past_no_return_ || (type != nullptr && type->point_of_no_return);
    }
    if (move.to == StepState::succeeded) {
        line.completed = ++completed_;
        line.succeeded_at = now();
    }
    if (move.to == StepState::compensating) line.undo_epoch = move.epoch;
}

void Ledger::take_verdict(const Entry& entry, const std::function<void(const Verdict&)>& judged) {
    Verdict verdict{.step = {},
                    .who = get_string(entry.body, "who").value_or(""),
                    .verb = get_string(entry.body, "verb").value_or(""),
                    .text = get_string(entry.body, "text").value_or(""),
                    .digest = {},
                    .accepted = get_bool(entry.body, "accepted").value_or(false)};
    if (digests != nullptr)
        if (const auto asked = digests->find(get_string(entry.body, "id").value_or("")); asked != digests->end())
            verdict.digest = asked->second;
    const auto found = index_.find(get_string(entry.body, "step").value_or(""));
    if (found != index_.end()) verdict.step = found->second;
    judged(verdict);
    if (verdict.step && verdict.accepted) lines_[*verdict.step].grants[verdict.verb].insert(verdict.who);
}

}  // namespace kedge::sim
