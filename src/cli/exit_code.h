// How a command ended, for scripts. Documented numbers: they never change their meaning.
#pragma once

#include <string_view>

#include "base/result.h"

namespace kedge {

enum class ExitCode : int {
    ok = 0,
    failed = 1,
    usage = 2,
    invalid_input = 3,
    not_found = 4,
    not_allowed = 5,
    conflict = 6,
    refused = 7,
    waiting = 8,
    compensated = 9,
    not_compensated = 10,
    outcome_unknown = 11,
    timed_out = 12,
    objective_missed = 13,
    unreachable = 14,
    negative = 15,
    unverifiable = 16,
    promise_broken = 17,
    interrupted = 130,
};

// "conflict: busy target, or it changed meanwhile"
std::string_view meaning(ExitCode code);

// The code for an error that ends a command.
ExitCode exit_code_of(Fault fault);

}  // namespace kedge
