// What a lab that died left behind, and who has the addresses that a new one needs.
#pragma once

#include "lab/layout.h"
#include "os/wait.h"

namespace kedge::lab {

// Kills what is left of the lab's processes, and nothing else: those that its `state.json` recorded (by pid and start
// time), those that carry its marker, those that execute one of its programs in its directory, and the descendants
// of all these. Returns when they are gone and their shared memory with them; how many there were.
// outcome_unknown if one does not go before the deadline.
Result<std::size_t> clear_processes(const LabName& lab, const Until& until);

// conflict if one of the lab's addresses is taken: which, and by whom if that can be seen.
Result<void> refuse_taken_addresses();

}  // namespace kedge::lab
