#include "response/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace kedge {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> day_names = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<minutes> parse_time(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    for (const std::size_t at : {0u, 1u, 3u, 4u})
        if (!is_digit(text[at])) return std::nullopt;
    const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
    if (hour > 23 || minute > 59) return std::nullopt;
    return hours{hour} + minutes{minute};
}

DueState stands(const Schedule& schedule, Moment due, const std::vector<ScheduledRun>& since, Moment now) {
    // The newest answer counts: what was well at six may be found damaged at noon.
    const auto newest =
        std::find_if(since.rbegin(), since.rend(), [](const ScheduledRun& run) { return run.ended.has_value(); });
    if (newest != since.rend() && newest->succeeded) return DueState::done;
    const bool is_over = now > std::max(due, schedule.since) + schedule.spread + schedule.limit;
    const bool all_ended = std::ranges::all_of(since, [](const ScheduledRun& run) { return run.ended.has_value(); });
    if (!since.empty() && all_ended) return DueState::failed;
    return is_over ? DueState::overdue : DueState::due;
}

std::string sentence(const Schedule& schedule, const ScheduleLook& look, const std::vector<ScheduledRun>& since) {
    const std::string due = look.last_due ? to_string(*look.last_due) : "";
    switch (look.standing) {
        case DueState::waiting: return fmt::format("due for the first time at {}", to_string(look.next_due));
        case DueState::due:
            return since.empty() ? fmt::format("due since {}, has not begun yet", due)
                                 : fmt::format("run {} goes on", since.back().id);
        case DueState::done: return fmt::format("run {} succeeded", look.success->id);
        case DueState::failed: return fmt::format("run {}: {}", since.back().id, since.back().says);
        case DueState::overdue: {
            const std::string last =
                look.success ? fmt::format("it last succeeded at {}", to_string(look.success->ended.value()))
                             : "it has never succeeded";
            return since.empty() ? fmt::format("was due at {} and did not run; {}", due, last)
                                 : fmt::format("was due at {}, and run {} has not ended within {}; {}", due,
                                               since.back().id, readable(schedule.limit), last);
        }
    }
    return "";
}

}  // namespace

Moment Occasion::last(Moment now) const {
    sys_days date = floor<days>(now);
    if (date + time > now) date -= days{1};
    if (day) date -= weekday{date} - *day;  // modulo seven: 0 to 6 days back
    return date + time;
}

Moment Occasion::next(Moment now) const {
    return last(now) + (day ? days{7} : days{1});
}

Result<Occasion> parse_occasion(std::string_view text) {
    Occasion occasion;
    std::string_view time = text;
    if (const std::size_t blank = text.find(' '); blank != std::string_view::npos) {
        const auto day = std::ranges::find(day_names, text.substr(0, blank));
        if (day != day_names.end()) {
            occasion.day = weekday{static_cast<unsigned>(day - day_names.begin())};
            time = text.substr(blank + 1);
        }
    }
    const std::optional<minutes> parsed = parse_time(time);
    if (!parsed)
        return Error{Fault::invalid_input,
                     fmt::format("'{}' is no time: expected HH:MM in UTC, or a day before it: 'Sun 04:00'", text)};
    occasion.time = *parsed;
    return occasion;
}

std::string to_string(const Occasion& occasion) {
    const std::string day = occasion.day ? std::string(day_names[occasion.day->c_encoding()]) + " " : "";
    return fmt::format("{}{:02}:{:02}", day, occasion.time.count() / 60, occasion.time.count() % 60);
}

std::string on_calendar(const Occasion& occasion) {
    const std::string day = occasion.day ? std::string(day_names[occasion.day->c_encoding()]) + " " : "";
    return fmt::format("{}*-*-* {:02}:{:02}:00 UTC", day, occasion.time.count() / 60, occasion.time.count() % 60);
}

std::optional<Occasion> usual_occasion(std::string_view plan) {
    if (plan == "daily-verification") return Occasion{.day = std::nullopt, .time = hours{6}};
    if (plan == "weekly-verification") return Occasion{.day = Sunday, .time = hours{4}};
    return std::nullopt;
}

std::string_view to_string(DueState standing) {
    switch (standing) {
        case DueState::waiting: return "waiting";
        case DueState::due: return "due";
        case DueState::done: return "done";
        case DueState::failed: return "failed";
        case DueState::overdue: return "overdue";
    }
    return "";
}

ScheduleLook look_at_schedule(const Schedule& schedule, const std::vector<ScheduledRun>& runs, Moment now) {
    ScheduleLook look{.next_due = schedule.at.next(now)};
    if (!runs.empty()) look.newest = runs.back();
    for (const ScheduledRun& run : runs)
        if (run.succeeded) look.success = run;
    std::vector<ScheduledRun> since;
    const Moment due = schedule.at.last(now);
    for (const ScheduledRun& run : runs)
        if (run.started >= due) since.push_back(run);
    // What somebody starts by hand counts although nothing was owed yet.
    if (due >= schedule.since || !since.empty()) {
        look.last_due = due;
        look.standing = stands(schedule, due, since, now);
    }
    look.says = sentence(schedule, look, since);
    return look;
}

}  // namespace kedge
