// Runs a drill from the first checklist line to the report: load from outside, a fault, detection, the recovery
// plan, its checks, the way back, and what clients saw of it all.
//
// The ground on which it happens is an interface: the lab is one. Every part that acts is an ordinary run of an
// ordinary plan, journalled as such; the drill only breaks, watches, plays the estate's people and measures.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "os/clock.h"
#include "plan/plan.h"
#include "response/drill_report.h"
#include "response/heartbeats.h"
#include "response/observer.h"
#include "response/players.h"
#include "runner/runs.h"
#include "targets/targets.h"

namespace kedge {

// One series of numbered writes.
struct LoadStream {
    std::string name;
    std::string target;    // of the estate, whose loss and outage it measures
    bool detects = false;  // the probe whose misses declare the loss
};

// What was written and what is there afterwards, by stream.
struct LoadRecord {
    AttemptLog attempts;
    std::map<std::string, std::optional<Loss>> losses;  // nothing where the store could not be read back
};

// Where drills happen. Belongs to the drill's thread.
class DrillGround {
public:
    virtual ~DrillGround() = default;
    virtual std::vector<LoadStream> streams() const = 0;
    // Begins the numbered writes; they go on until stop_load.
    virtual Result<void> start_load() = 0;
    // The attempts of `stream` that ended since it was last asked, oldest first. Waits at most `limit` for one.
    virtual Result<std::vector<Attempt>> next_attempts(const std::string& stream, Span limit) = 0;
    // Ends the writes and reads every store back; the loss is counted from `fault` on.
    virtual Result<LoadRecord> stop_load(std::optional<Moment> fault) = 0;
    // Injects the fault and returns when it began.
    virtual Result<Moment> inject(const std::string& fault, const std::string& region) = 0;
    // Brings back what the fault took as far as the world does so by itself: machines, networks.
    virtual Result<void> heal(const std::string& fault, const std::string& region) = 0;
    // What this ground cannot show, one sentence each.
    virtual std::vector<std::string> limits() const = 0;
};

struct DrillScript {
    std::string type;                       // "Regional Failover"
    std::string fault, region;              // what is lost where
    Plan recovery, verification, failback;  // failback.name empty = none
    std::map<std::string, std::string> recovery_inputs, verification_inputs, failback_inputs, final_verification_inputs;
    std::string lead, engineering_lead;  // persons of the estate
    int misses_to_declare = 3;
    PlayRules play;
};

// What the screen may show while it goes on.
struct DrillProgress {
    Moment at{};
    std::string what;               // one line; empty for a move of a run
    const RunState* run = nullptr;  // a run has moved: it, and the entry; valid during the call
    const Entry* entry = nullptr;
};

struct DrillWorld {
    Journal& journal;
    const Estate& estate;
    const Targets& targets;
    const Clock& clock;
    DrillGround& ground;
    Observer& observer;  // runs on a thread of the drill's own
    std::function<void(const DrillProgress&)> progress;
    std::function<bool()> stop;  // asked often; true ends the drill early, after cleaning up
};

// Runs it. An error means that it could not be carried out at all; whatever went wrong in a drill that was is in the
// record, which is always complete: what was not measured is empty there. The ground is healed in any case.
Result<DrillRecord> run_drill(const DrillWorld& world, const DrillScript& script);

}  // namespace kedge
