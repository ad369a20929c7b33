#include "sim/survey.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "actions/action.h"
#include "base/check.h"

namespace kedge::sim {
namespace {

constexpr std::uint64_t repeat_each = 20;

void take(Survey& survey, const Outcome& outcome, const BoundPlan& plan) {
    ++survey.disasters;
    survey.events += outcome.events;
    survey.simulated += outcome.lasted;
    for (const std::size_t fault : outcome.faults) ++survey.drawn[fault];
    for (const std::size_t fault : outcome.fired) ++survey.fired[fault];
    if (outcome.outage) survey.outage.add(*outcome.outage);
    if (!outcome.failed_at.empty()) ++survey.failed_at[outcome.failed_at];
    if (outcome.fired.empty()) {
        ++survey.alone;
        survey.answered_alone += outcome.came == Came::recovered && outcome.retries == 0;
    }
    switch (outcome.came) {
        case Came::recovered: ++survey.recovered; break;
        case Came::stopped:
            ++survey.stopped;
            ++survey.stopped_by[outcome.how.substr(0, outcome.how.find(':'))];
            break;
        case Came::broken:
            ++survey.broken;
            ++survey.broken_by[outcome.broken.front().invariant];
            break;
    }
    if (!outcome.rto_from_onset) return;
    survey.onset.add(*outcome.rto_from_onset);
    survey.declaration.add(*outcome.rto_from_declaration);
    survey.rpo.add(outcome.rpo);
    for (const StepTime& time : outcome.steps) {
        StepShare& share = survey.steps[time.step];
        share.id = plan.steps[time.step].id;
        share.title = plan.steps[time.step].title;
        share.takes.add(time.takes);
        share.sum += time.takes;
    }
}

// The strictest objectives of what the plan changes, or of the estate.
void set_objectives(Survey& survey, const Programme& programme) {
    const Estate& estate = programme.assignment.estate();
    for (const Tier& tier : estate.tiers) {
        const bool concerns = std::ranges::any_of(programme.plan().targets, [&](const std::string& name) {
            const Target* target = estate.target(name);
            return target != nullptr && target->tier == tier.name;
        });
        if (!concerns && !programme.plan().targets.empty()) continue;
        survey.tier = tier.name;
        survey.rto_objective = tier.rto;
        survey.rpo_objective = tier.rpo;
        return;
    }
}

}  // namespace

void Spread::sort() {
    std::ranges::sort(spans_);
}

Span Spread::at_percentile(int percent) const {
    check(!spans_.empty(), "only what was measured has percentiles");
    const std::size_t rank = (spans_.size() * static_cast<std::size_t>(percent) + 99) / 100;
    return spans_[std::clamp<std::size_t>(rank, 1, spans_.size()) - 1];
}

bool Survey::objectives_met() const {
    if (answered_alone * 100 < alone * static_cast<std::uint64_t>(percentile)) return false;
    if (tier.empty() || onset.empty()) return true;
    return onset.at_percentile(percentile) <= rto_objective && rpo.at_percentile(percentile) <= rpo_objective;
}

Survey make_survey(const Programme& programme, const SurveyOptions& options) {
    Survey survey{.plan = programme.plan().name, .estate = programme.assignment.estate().name, .seed = options.seed};
    survey.percentile = options.percentile;
    survey.measured = programme.measured;
    survey.drawn.resize(all_faults().size());
    survey.fired.resize(all_faults().size());
    const BoundPlan& plan = programme.plan();
    survey.steps.resize(plan.steps.size());
    std::vector<Outcome> outcomes(options.disasters);
    std::atomic<std::uint64_t> next = 0, repeated = 0, unrepeatable = 0;
    const auto work = [&] {
        for (std::uint64_t i = next++; i < options.disasters; i = next++) {
            outcomes[i] = try_once(programme, options.seed + i, options.trial);
            if (outcomes[i].came != Came::broken) outcomes[i].story.clear();
            if (i % repeat_each != repeat_each - 1) continue;
            ++repeated;
            if (try_once(programme, options.seed + i, options.trial).trace != outcomes[i].trace) ++unrepeatable;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 1; i < options.threads; ++i) threads.emplace_back(work);
        work();
    }
    for (const Outcome& outcome : outcomes) {
        take(survey, outcome, plan);
        if (outcome.came == Came::broken && survey.stories.size() < options.stories_max)
            survey.stories.push_back(shrink(programme, outcome, options.trial));
    }
    survey.repeated = repeated;
    survey.unrepeatable = unrepeatable;
    for (Spread* spread : {&survey.onset, &survey.declaration, &survey.outage, &survey.rpo}) spread->sort();
    for (StepShare& share : survey.steps) share.takes.sort();
    set_objectives(survey, programme);
    return survey;
}

}  // namespace kedge::sim
