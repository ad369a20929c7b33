// One disaster with the faults that its seed draws, judged from outside, healed, and judged again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/disaster.h"
#include "sim/faults.h"
#include "sim/judge/bench.h"

namespace kedge::sim {

// A plan, ready to be tried any number of times. Does not change.
struct Programme {
    Assignment assignment;
    Span length{};                      // of an undisturbed run, measured once
    std::vector<std::string> measured;  // steps whose durations past runs measured

    const BoundPlan& plan() const { return assignment.plan(); }
};
// Binds the plan and lets it run once, undisturbed. The error says why it cannot be tried at all. A step that took
// longer in past runs than it does then takes so much longer in every disaster; `took` says by the steps' ids how long
// that was. One that was faster is left as the models have it: they are not hurried.
Result<Programme> make_programme(const Plan& plan, Estate estate, std::string lab_root,
                                 const std::map<std::string, std::string>& inputs,
                                 const std::map<std::string, Span>& took = {});

enum class Came {
    recovered,  // the plan did what it is for
    stopped,    // it ended otherwise, or waits for a person; nothing was broken
    broken,     // a promise was broken
};

struct StepTime {
    std::size_t step = 0;
    Span takes{};
};

struct Outcome {
    std::uint64_t seed = 0;
    Came came{};
    std::string how;  // the run's result, or what it waits for
    std::vector<Broken> broken;
    std::vector<std::size_t> faults;  // drawn, by their place in all_faults()
    std::vector<std::size_t> fired;
    std::optional<Loss> loss;
    std::optional<Span> rto_from_onset, rto_from_declaration;  // of a run that recovered
    std::optional<Span> outage;                                // the longest that users felt
    std::int64_t rows_lost = 0, sessions_lost = 0;
    Span rpo{};                   // age of the oldest acknowledged row that is missing, at the onset
    std::vector<StepTime> steps;  // of those that succeeded
    std::string failed_at;        // the first step that failed and why, "promote (not_shown)"; empty if none did
    int retries = 0;              // how often somebody had a step tried again
    std::uint64_t trace = 0, events = 0;
    Span lasted{};      // virtual time in all
    std::string story;  // of a broken one: what happened, line by line
};

struct TrialOptions {
    std::optional<std::vector<std::size_t>> only;  // of the faults that the seed draws, these
    bool no_faults = false;
    Mode mode = Mode::live;
    bool tell = false;  // the story, whatever comes
    // For tests: plants something once everything is set up, before the run starts.
    std::function<void(Disaster&, Bench&)> plant;
};

Outcome try_once(const Programme& programme, std::uint64_t seed, const TrialOptions& options = {});

// The fewest of the drawn faults with which the same promise still breaks.
Outcome shrink(const Programme& programme, const Outcome& broken, const TrialOptions& options = {});

}  // namespace kedge::sim
