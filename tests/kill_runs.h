// For tests: a run of a plan whose controller is killed again and again, wherever it happens to be.
//
// The kill comes from outside, as soon as the journal shows one entry more than the chosen number.
#pragma once

#include <set>
#include <string>

#include "lab_world.h"

namespace kedge::lab {

struct Killed {
    RunId run;
    std::set<Position> boundaries;  // the last entry of the run at each kill
    std::string trouble;            // why the run did not come to its end; empty: it did
};

struct KillOptions {
    std::size_t stride = 5;  // entries between two kills, and up to three more
    std::size_t kills_max = 14;
    Span limit = std::chrono::seconds{100};
};

// Runs the command that begins a run and kills it `stride` entries later, resumes it and kills it again, until it was
// killed `kills_max` times; then lets it end. Each stride differs from the one before: what a resume writes first is
// always the same, and the kill would come at the same step again and again.
Killed run_with_kills(const LabWorld& world, const Arguments& start, const KillOptions& options);

}  // namespace kedge::lab
