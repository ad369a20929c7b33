// A fence that is reached through three commands, run where Kedge runs and never through the server they fence.
//
// Each answers by its exit code: 0 = yes or done, 1 = no, anything else = unknown. The last line that it prints is
// the sentence that goes into the evidence.
#pragma once

#include "os/process.h"
#include "targets/database.h"

namespace kedge {

struct FenceCommands {
    Arguments look, raise, lower;  // program and arguments; empty: there is none
};

// `who` is what errors call the fence. A look is never an error for a fence that cannot be seen: it is unknown.
// refused when there is no command. For `change_fence`: refused when the fence said no, outcome_unknown otherwise.
Result<FenceLook> look_at_fence(const FenceCommands& commands, const std::string& who, Moment deadline);
enum class FenceChange { raise, lower };
Result<void> change_fence(const FenceCommands& commands, FenceChange change, const std::string& who, Moment deadline);

}  // namespace kedge
