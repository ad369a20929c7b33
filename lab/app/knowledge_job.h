// The job that builds the index over `knowledge_nodes` anew, and what Kedge asks of the index: the programs that an
// estate names for a target of the kind `index` (src/targets/command/command_index.h says what they print).
//
//   kedge-lab-app --index DIRECTORY CONNINFO look
//   kedge-lab-app --index DIRECTORY CONNINFO degrade | serve
//   kedge-lab-app --index DIRECTORY CONNINFO rebuild JOB [ROWS]   leaves the job behind, as a process of its own
//   kedge-lab-app --index DIRECTORY CONNINFO build JOB [ROWS]     is the job
//   kedge-lab-app --index DIRECTORY CONNINFO sample N
//
// The job reads the table by its key, a batch at a time and at most ROWS a second, so that the database has time for
// others; each batch is a segment, and the last segment says where to go on. What it says goes to job.log.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace kedge::lab {

// `words` from DIRECTORY on; `program` is this program, as it was called. Root becomes the directory's owner first.
// refused, conflict: nothing was done; unavailable: the database.
Result<void> run_index_command(const std::string& program, const std::vector<std::string>& words);

}  // namespace kedge::lab
