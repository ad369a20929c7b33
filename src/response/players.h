// Plays the people of a lab's own estate: they read what a run asks of them and answer through the same inbox,
// with the same words, as people would. Refused by the engine in any estate that is not a lab's.
#pragma once

#include <set>
#include <string>

#include "engine/run_state.h"
#include "estate/estate.h"
#include "journal/journal.h"

namespace kedge {

struct PlayRules {
    bool takes_risks = false;  // also waives blocks; a drill that needs it says so
};

// Belongs to one thread. Journal and estate outlive it.
class Players {
public:
    Players(Journal& journal, const Estate& estate, PlayRules rules)
        : journal_(journal), estate_(estate), rules_(rules) {}

    // Asks for whatever `state` waits for and was not asked for yet. Cheap when nothing waits. Another controller of
    // the same run asks the very same.
    Result<void> play(const RunState& state);

private:
    Result<void> ask(const RunState& state, const std::string& step, const std::string& verb, const std::string& text,
                     const std::string& digest, const Person& person, Moment since);

    Journal& journal_;
    const Estate& estate_;
    PlayRules rules_;
    std::set<std::string> asked_;  // ids of requests that were made
};

}  // namespace kedge
