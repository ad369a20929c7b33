// The systemd units by which a scheduled plan runs: a timer and a service for each plan, and one of each that looks for
// plans that did not run (systemd.timer(5), systemd.service(5), systemd.unit(5)). Pure.
//
// The units are all that is kept of a schedule: what is in them is read back from them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "response/schedule.h"

namespace kedge {

struct ScheduledPlan {
    Schedule schedule;
    // Channels of the estate that are told when it failed or did not run.
    std::vector<std::string> alert;
    // Program and arguments that carry it out.
    std::vector<std::string> command;
};

using UnitFiles = std::map<std::string, std::string>;  // name to content

// "kedge-plan-daily-verification.timer" and ".service". The name of a plan has nothing in it that must be escaped.
UnitFiles units_of(const ScheduledPlan& plan);
// "kedge-overdue.timer" and ".service": `command` is run every hour.
UnitFiles units_of_overdue(const std::vector<std::string>& command);

// Whether a unit was written by `units_of` or `units_of_overdue`: others are never touched.
bool is_ours(std::string_view content);
// What a service of `units_of` says of its plan, but for the command. corrupt if somebody changed it so that it cannot
// be read.
Result<ScheduledPlan> read_units(std::string_view service);

std::string timer_name(std::string_view plan);
std::string service_name(std::string_view plan);
inline constexpr std::string_view overdue_timer = "kedge-overdue.timer", overdue_service = "kedge-overdue.service";

}  // namespace kedge
