#include "response/alarms.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "os/clock.h"
#include "os/files.h"
#include "os/line_file.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t file_bytes_most = 16u << 20;  // a hundred thousand notices
constexpr Span send_limit = 1min;                   // each channel; a service that is busy may ask to wait
constexpr Span file_limit = 10s;

// Deadlines are of the machine's time, whatever time the notice is about.
Moment from_now(Span limit) {
    return SystemClock{}.now() + limit;
}

const Json* line_of(const std::vector<Json>& lines, const std::string& channel) {
    const auto found = std::ranges::find_if(
        lines, [&](const Json& line) { return get_string(line, "channel").value_or("") == channel; });
    return found == lines.end() ? nullptr : &*found;
}

// An alarm is open on a channel that was told of one, and not yet of its end.
bool is_told(const Json* last, const Notice& notice) {
    const bool is_open = last != nullptr && !get_bool(*last, "over").value_or(false);
    if (notice.is_over) return !is_open;
    return is_open && get_string(*last, "key") == notice.key;
}

}  // namespace

std::optional<Notice> notice_of(const std::string& estate, const Schedule& schedule, const ScheduleLook& look,
                                Moment now) {
    if (look.standing == DueState::waiting || look.standing == DueState::due) return std::nullopt;
    Notice notice{.severity = "critical", .text = look.says, .at = now};
    notice.about = fmt::format("kedge/{}/{}", estate, schedule.plan);
    notice.key =
        fmt::format("{}/{}/{}", notice.about, look.last_due ? to_string(*look.last_due) : "", to_string(look.standing));
    switch (look.standing) {
        case DueState::failed:
            if (look.newest) notice.key = fmt::format("{}/{}", notice.about, look.newest->id);
            notice.title = fmt::format("{}: {} failed", estate, schedule.plan);
            if (look.newest && look.newest->is_recorded)
                notice.text += fmt::format("\nLook: kedge run show {}", look.newest->id);
            break;
        case DueState::overdue:
            notice.title = fmt::format("{}: {} did not run in time", estate, schedule.plan);
            notice.text += "\nLook: kedge schedule list";
            break;
        case DueState::done:
            notice.title = fmt::format("{}: {} is well again", estate, schedule.plan);
            notice.severity = "info";
            notice.is_over = true;
            break;
        case DueState::waiting:
        case DueState::due: break;
    }
    return notice;
}

Result<std::vector<Json>> Alarms::newest(const std::string& plan) const {
    if (!exists(path_)) return std::vector<Json>{};
    std::istringstream lines(TRY(read_file(path_, file_bytes_most)));
    std::vector<Json> newest;
    for (std::string text; std::getline(lines, text);) {
        Result<Json> line = parse_json(text);  // one that a crash left torn says nothing
        if (!line || get_string(*line, "plan") != plan) continue;
        const std::string channel = get_string(*line, "channel").value_or("");
        std::erase_if(newest, [&](const Json& one) { return get_string(one, "channel") == channel; });
        newest.push_back(std::move(*line));
    }
    return newest;
}

Result<void> Alarms::note(const Json& line, Moment deadline) const {
    TRY(make_directories(std::filesystem::path(path_).parent_path().string()));
    LineFile file = TRY(LineFile::open(path_, deadline));
    return file.append(dump(line));
}

Result<std::vector<Delivery>> Alarms::tell(const std::string& estate, const Schedule& schedule,
                                           const ScheduleLook& look, const std::vector<std::string>& channels,
                                           const Targets& targets, Moment now) {
    std::vector<Delivery> deliveries;
    const std::optional<Notice> notice = notice_of(estate, schedule, look, now);
    if (!notice) return deliveries;
    const std::vector<Json> told = TRY(newest(schedule.plan));
    for (const std::string& name : channels) {
        if (is_told(line_of(told, name), *notice)) continue;
        const auto channel = targets.channels.find(name);
        if (channel == targets.channels.end()) {
            deliveries.push_back({name, false, "the estate has no such channel"});
            continue;
        }
        const Result<Receipt> receipt = channel->second->send(*notice, from_now(send_limit));
        deliveries.push_back({name, receipt.has_value(), receipt ? receipt->says : receipt.error().message});
        if (!receipt) continue;
        TRY(note({{"plan", schedule.plan},
                  {"channel", name},
                  {"at", to_string(now)},
                  {"key", notice->key},
                  {"over", notice->is_over},
                  {"title", notice->title},
                  {"delivery", receipt->says},
                  {"delivered", to_string(receipt->delivered)},
                  {"tries", receipt->tries}},
                 from_now(file_limit)));
    }
    return deliveries;
}

}  // namespace kedge
