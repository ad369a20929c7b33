#include "response/timer_units.h"

#include <fmt/format.h>

#include <optional>

namespace kedge {
namespace {

constexpr std::string_view mark = "# Written by `kedge schedule`; change it with that, or it is no longer its own.\n";
// Sections that begin so are for others than systemd (systemd.unit(5)).
constexpr std::string_view own_section = "[X-Kedge]";

// One word of a command line: in quotes, with the specifiers and variables of systemd taken literally.
std::string quoted(const std::string& word) {
    std::string out = "\"";
    for (const char c : word) {
        if (c == '%' || c == '$') out += c;
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string command_line(const std::vector<std::string>& command) {
    std::vector<std::string> words;
    for (const std::string& word : command) words.push_back(quoted(word));
    return fmt::format("{}", fmt::join(words, " "));
}

// Backups lie on the disks of something more urgent: the service is the last to be served. Secrets that an estate
// names by `env:` stand in the environment file, which only root can read.
std::string service_unit(std::string_view says, const std::vector<std::string>& command) {
    return fmt::format(
        "{}[Unit]\n"
        "Description={}\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        "EnvironmentFile=-/etc/kedge/environment\n"
        "ExecStart={}\n"
        "Nice=10\n"
        "IOSchedulingClass=idle\n"
        "KillMode=mixed\n"
        "TimeoutStartSec=infinity\n",
        mark, says, command_line(command));
}

std::string timer_unit(std::string_view says, std::string_view calendar, Span spread) {
    return fmt::format(
        "{}[Unit]\n"
        "Description={}\n"
        "\n"
        "[Timer]\n"
        "OnCalendar={}\n"
        "RandomizedDelaySec={}s\n"
        "AccuracySec=1min\n"
        "Persistent=true\n"
        "\n"
        "[Install]\n"
        "WantedBy=timers.target\n",
        mark, says, calendar, std::chrono::ceil<std::chrono::seconds>(spread).count());
}

// The values of `key` in our own section, in order.
std::vector<std::string> values(std::string_view service, std::string_view key) {
    std::vector<std::string> found;
    const std::size_t section = service.find(own_section);
    if (section == std::string_view::npos) return found;
    std::string_view rest = service.substr(section);
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.starts_with(key) && line.substr(key.size()).starts_with('='))
            found.emplace_back(line.substr(key.size() + 1));
    }
    return found;
}

}  // namespace

std::string timer_name(std::string_view plan) {
    return fmt::format("kedge-plan-{}.timer", plan);
}

std::string service_name(std::string_view plan) {
    return fmt::format("kedge-plan-{}.service", plan);
}

UnitFiles units_of(const ScheduledPlan& plan) {
    const Schedule& schedule = plan.schedule;
    const std::string says = fmt::format("Kedge: plan {} at its time", schedule.plan);
    std::string own = fmt::format("\n{}\nPlan={}\nAt={}\nSpread={}\nLimit={}\nSince={}\n", own_section, schedule.plan,
                                  to_string(schedule.at), to_string(schedule.spread), to_string(schedule.limit),
                                  to_string(schedule.since));
    for (const std::string& channel : plan.alert) own += fmt::format("Alert={}\n", channel);
    return {{service_name(schedule.plan), service_unit(says, plan.command) + own},
            {timer_name(schedule.plan), timer_unit(says, on_calendar(schedule.at), schedule.spread)}};
}

UnitFiles units_of_overdue(const std::vector<std::string>& command) {
    const std::string_view says = "Kedge: tell of plans that did not run at their time";
    return {{std::string(overdue_service), service_unit(says, command)},
            {std::string(overdue_timer), timer_unit(says, "hourly", std::chrono::minutes{5})}};
}

bool is_ours(std::string_view content) {
    return content.starts_with(mark);
}

Result<ScheduledPlan> read_units(std::string_view service) {
    const auto one = [&](std::string_view key) -> Result<std::string> {
        const std::vector<std::string> all = values(service, key);
        if (all.size() != 1) return Error{Fault::corrupt, fmt::format("it has no single {}=", key)};
        return all.front();
    };
    ScheduledPlan plan;
    plan.schedule.plan = TRY(one("Plan"));
    plan.schedule.at = TRY(parse_occasion(TRY(one("At"))));
    plan.schedule.spread = TRY(parse_span(TRY(one("Spread"))));
    plan.schedule.limit = TRY(parse_span(TRY(one("Limit"))));
    plan.schedule.since = TRY(parse_moment(TRY(one("Since"))));
    plan.alert = values(service, "Alert");
    return plan;
}

}  // namespace kedge
