// Binds the targets of an estate to their drivers: the only place that knows which driver serves which name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "estate/estate.h"
#include "recover/promote.h"
#include "response/observer.h"
#include "targets/targets.h"

namespace kedge {

// Every target with its driver; nothing is connected yet. Samples are read from, and by the observer written to,
// `state_directory`/samples. invalid_input for a setting that a driver cannot use, with the target's name.
Result<Targets> bind_targets(const Estate& estate, const std::string& state_directory);

// The server in `region` whose place a recovered copy may take. refused for a driver that does not let anybody do that,
// not_found for a region without a copy.
Result<recover::Production> production_in(const Target& target, const std::string& region);

// What the observer watches: every database of the estate. `targets` must outlive it.
std::vector<ObservedDatabase> observed_databases(const Estate& estate, const Targets& targets);
Observer::Keep keep_samples(const std::string& state_directory);

}  // namespace kedge
