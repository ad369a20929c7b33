#include "response/run_figures.h"

#include <algorithm>
#include <optional>

namespace kedge {
namespace {

double unix_seconds(Moment moment) {
    return std::chrono::duration<double>(moment.time_since_epoch()).count();
}

// What one step found of one backup.
struct FoundBackup {
    std::string step;
    std::optional<double> age_seconds;
    std::map<std::string, double> rows;
};

std::vector<FoundBackup> found_in(const RunState& run) {
    std::vector<FoundBackup> all;
    for (std::size_t i = 0; i < run.size(); ++i) {
        const Json& evidence = run.record(i).evidence;
        FoundBackup found{.step = run.bound(i).id, .age_seconds = get_number(evidence, "age_seconds"), .rows = {}};
        for (const auto& [table, count] : get(evidence, "rows").items())
            if (count.is_number()) found.rows[table] = count.get<double>();
        if (found.age_seconds || !found.rows.empty()) all.push_back(std::move(found));
    }
    return all;
}

void add_plan(std::vector<Gauge>& gauges, const std::string& plan, const ScheduleLook& look) {
    const auto add = [&](std::string name, std::string help, double value) {
        gauges.push_back({std::move(name), std::move(help), {{"plan", plan}}, value});
    };
    add("kedge_plan_next_due_timestamp_seconds", "When the plan is due next.", unix_seconds(look.next_due));
    if (look.newest) {
        add("kedge_plan_last_start_timestamp_seconds", "When the newest run began.",
            unix_seconds(look.newest->started));
        if (look.newest->ended) {
            add("kedge_plan_last_run_success", "Whether the newest run succeeded.", look.newest->succeeded ? 1 : 0);
            add("kedge_plan_last_run_duration_seconds", "How long the newest run took.",
                seconds(*look.newest->ended - look.newest->started));
        }
    }
    if (look.success)
        add("kedge_plan_last_success_timestamp_seconds", "When a run last succeeded; absent if none ever did.",
            unix_seconds(*look.success->ended));
}

// The names that the runbook's dashboards know. They break the rule of base units and are kept for those alone.
void add_runbook_names(std::vector<Gauge>& gauges, const ScheduleLook& look, const std::vector<FoundBackup>& backups) {
    const auto add = [&](std::string name, std::string help, double value) {
        gauges.push_back({std::move(name), std::move(help), {}, value});
    };
    const bool succeeded = look.newest && look.newest->succeeded;
    add("backup_verification_success", "As kedge_plan_last_run_success.", succeeded ? 1 : 0);
    if (look.success)
        add("backup_verification_timestamp", "As kedge_plan_last_success_timestamp_seconds.",
            unix_seconds(*look.success->ended));
    std::optional<double> oldest;
    std::optional<double> debates;
    for (const FoundBackup& backup : backups) {
        if (backup.age_seconds) oldest = std::max(oldest.value_or(0), *backup.age_seconds);
        for (const auto& [table, rows] : backup.rows)
            if (table == "debates" || table.ends_with(".debates")) debates = rows;
    }
    if (oldest) add("backup_verification_age_hours", "The largest kedge_backup_age_seconds, in hours.", *oldest / 3600);
    if (debates) add("backup_verification_debates", "kedge_backup_rows of the table debates.", *debates);
}

}  // namespace

std::vector<Gauge> run_figures(const std::string& plan, const ScheduleLook& look, const RunState* run) {
    std::vector<Gauge> gauges;
    add_plan(gauges, plan, look);
    const std::vector<FoundBackup> backups = run != nullptr ? found_in(*run) : std::vector<FoundBackup>{};
    for (const FoundBackup& backup : backups) {
        if (backup.age_seconds)
            gauges.push_back({"kedge_backup_age_seconds",
                              "Age of the backup that the step looked at, when it looked.",
                              {{"plan", plan}, {"step", backup.step}},
                              *backup.age_seconds});
        for (const auto& [table, rows] : backup.rows)
            gauges.push_back({"kedge_backup_rows",
                              "Rows of a table in the backup.",
                              {{"plan", plan}, {"step", backup.step}, {"table", table}},
                              rows});
    }
    if (plan == "daily-verification") add_runbook_names(gauges, look, backups);
    return gauges;
}

}  // namespace kedge
