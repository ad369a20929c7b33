// The figures of a scheduled plan: when it ran, whether it succeeded, when it last did, and what its verifications
// found. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/run_state.h"
#include "response/exposition.h"
#include "response/schedule.h"

namespace kedge {

// `run` is the newest one, or null. Alerts go by the age of the last success, which stays away while there was none: a
// bare 1 would stay for ever in a Pushgateway. For `daily-verification` the runbook's four names stand beside ours:
// backup_verification_success, _age_hours, _debates, _timestamp.
//
// What verifications found is taken from the steps' evidence: `age_seconds` of a backup, `rows` of its tables by name.
std::vector<Gauge> run_figures(const std::string& plan, const ScheduleLook& look, const RunState* run);

}  // namespace kedge
