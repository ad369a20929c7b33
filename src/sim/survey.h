// Many disasters of one plan, and what they say together: how it came, how long it took, what was lost, where the time
// goes, which promises broke.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "sim/trial.h"

namespace kedge::sim {

// Figures in their order; percentiles are of what was measured, the nearest rank.
class Spread {
public:
    void add(Span span) { spans_.push_back(span); }
    void add(const Spread& other) { spans_.insert(spans_.end(), other.spans_.begin(), other.spans_.end()); }
    void sort();
    bool empty() const { return spans_.empty(); }
    std::size_t size() const { return spans_.size(); }
    Span at_percentile(int percent) const;  // after `sort`; not of an empty one
    const std::vector<Span>& spans() const { return spans_; }

private:
    std::vector<Span> spans_;
};

struct StepShare {
    std::string id, title;
    Spread takes;
    Span sum{};
};

struct Survey {
    std::string plan, estate;
    std::uint64_t seed = 0, disasters = 0;
    std::uint64_t recovered = 0, stopped = 0, broken = 0, repeated = 0, unrepeatable = 0;
    std::uint64_t events = 0;
    Span simulated{};
    std::map<std::string, std::uint64_t> broken_by;   // invariant -> disasters
    std::map<std::string, std::uint64_t> stopped_by;  // how they ended -> disasters
    std::map<std::string, std::uint64_t> failed_at;   // the first step that failed, and why -> disasters
    // Disasters in which no fault struck beside the loss itself, and those of them that the plan answered without
    // anybody having a step tried again.
    std::uint64_t alone = 0, answered_alone = 0;
    std::vector<std::uint64_t> drawn, fired;  // by place in all_faults()
    std::vector<Outcome> stories;             // of broken ones, shrunk; the first few
    std::vector<std::string> measured;        // steps whose durations are those of past runs
    Spread onset, declaration, outage, rpo;
    std::vector<StepShare> steps;  // of those that recovered
    Span rto_objective{}, rpo_objective{};
    std::string tier;
    int percentile = 95;

    // Whether recovery was fast enough and lost little enough at the percentile; and whether, where nothing else went
    // wrong, the plan came to its end by itself as often: one that then needs a person has a mistake in it.
    bool objectives_met() const;
};

struct SurveyOptions {
    std::uint64_t disasters = 1000, seed = 1;
    unsigned threads = 1;
    int percentile = 95;
    std::size_t stories_max = 3;
    TrialOptions trial;
};

// The same seeds give the same survey, on any number of threads. One disaster in twenty is done twice.
Survey make_survey(const Programme& programme, const SurveyOptions& options);

std::string as_text(const Survey& survey);
Json as_json(const Survey& survey);
std::string as_html(const Survey& survey);

}  // namespace kedge::sim
