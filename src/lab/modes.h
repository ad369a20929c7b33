// The lab's own processes: they are this very program, started again from its copy with one of these first words.
//
//   lab-build DIRECTORY                      makes a lab in it; tells progress and result in lines of JSON
//   lab-relay DIRECTORY                      the network between the sites
//   lab-archive DIRECTORY SITE PATH NAME     archive command of PostgreSQL
//   lab-restore DIRECTORY SITE NAME PATH     restore command of PostgreSQL
//   lab-exec FD PROGRAM ARGUMENTS...         becomes the program, its syncs told to the supervisor (slow_disk.h)
//   lab-control DIRECTORY VERB COMPONENT     asks the supervisor: start, stop, running, fence, unfence, fenced
#pragma once

#include <optional>

namespace kedge::lab {

// Does what the arguments of main ask for if they name a mode, and returns the exit code; nothing otherwise.
// lab-control answers by exit code: 0 yes or done, 1 no or refused, 2 unknown; its last line is a sentence.
std::optional<int> run_mode(int argc, const char* const* argv);

}  // namespace kedge::lab
