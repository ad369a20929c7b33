#include "cli/exit_code.h"

namespace kedge {

std::string_view meaning(ExitCode code) {
    switch (code) {
        case ExitCode::ok: return "done";
        case ExitCode::failed: return "failed, with no better code";
        case ExitCode::usage: return "the command line is wrong";
        case ExitCode::invalid_input: return "input invalid: plan, estate or value";
        case ExitCode::not_found: return "not found";
        case ExitCode::not_allowed: return "not allowed";
        case ExitCode::conflict: return "conflict: a busy target, or it changed meanwhile";
        case ExitCode::refused: return "refused, or a check said no: nothing was changed";
        case ExitCode::waiting: return "the run waits for people (--detach)";
        case ExitCode::compensated: return "the run failed and took everything back";
        case ExitCode::not_compensated: return "the run failed and not all was taken back: act now";
        case ExitCode::outcome_unknown: return "the outcome of an effect is unknown: act now";
        case ExitCode::timed_out: return "timed out waiting; the run may go on";
        case ExitCode::objective_missed: return "done, but an objective was missed";
        case ExitCode::unreachable: return "the server cannot be reached";
        case ExitCode::negative: return "verification says no";
        case ExitCode::unverifiable: return "verification was not possible: unknown";
        case ExitCode::promise_broken: return "a simulated disaster broke a promise";
        case ExitCode::interrupted: return "interrupted; the run was not cancelled";
    }
    return {};
}

ExitCode exit_code_of(Fault fault) {
    switch (fault) {
        case Fault::invalid_input: return ExitCode::invalid_input;
        case Fault::not_found: return ExitCode::not_found;
        case Fault::conflict: return ExitCode::conflict;
        case Fault::refused: return ExitCode::refused;
        case Fault::not_allowed: return ExitCode::not_allowed;
        case Fault::unavailable: return ExitCode::failed;
        case Fault::outcome_unknown: return ExitCode::outcome_unknown;
        case Fault::corrupt: return ExitCode::negative;
    }
    return ExitCode::failed;
}

}  // namespace kedge
