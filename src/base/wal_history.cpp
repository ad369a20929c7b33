#include "base/wal_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge {
namespace {

constexpr std::string_view blanks = " \t\r";

// Takes the next word off `line`.
std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(blanks));
    line.remove_prefix(word.size());
    return word;
}

}  // namespace

std::string history_file_name(std::uint32_t timeline) {
    return fmt::format("{:08X}.history", timeline);
}

// One line for each ancestor: parent timeline, position of the switch, reason (PostgreSQL: timeline.c).
Result<TimelineHistory> parse_history(std::string_view text, std::uint32_t timeline) {
    TimelineHistory history;
    Lsn begin;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string_view parent = take_word(line);
        if (parent.empty() || parent.front() == '#') continue;
        TimelineStretch stretch{.begin = begin};
        const auto read = std::from_chars(parent.data(), parent.data() + parent.size(), stretch.timeline);
        const auto at = parse_lsn(take_word(line));
        if (read.ec != std::errc{} || read.ptr != parent.data() + parent.size() || !at || *at < begin ||
            stretch.timeline >= timeline)
            return Error{Fault::corrupt, fmt::format("{}: no history: '{}...'", history_file_name(timeline), parent)};
        stretch.end = begin = *at;
        history.push_back(stretch);
    }
    history.push_back({.timeline = timeline, .begin = begin});
    return history;
}

Result<Fork> find_fork(const TimelineHistory& mine, const TimelineHistory& theirs) {
    std::size_t common = 0;
    const auto same = [&](std::size_t i) {
        return mine[i].timeline == theirs[i].timeline && mine[i].begin == theirs[i].begin;
    };
    while (common < std::min(mine.size(), theirs.size()) && same(common)) ++common;
    if (common == 0) return Error{Fault::invalid_input, "the two histories have no timeline in common"};
    return Fork{common - 1, std::min(mine[common - 1].end, theirs[common - 1].end)};
}

std::string segment_name(std::uint32_t timeline, Lsn position, std::uint64_t segment_bytes) {
    const std::uint64_t number = position.value / segment_bytes;
    const std::uint64_t in_one_log = (std::uint64_t{1} << 32) / segment_bytes;
    return fmt::format("{:08X}{:08X}{:08X}", timeline, number / in_one_log, number % in_one_log);
}

bool is_segment_name(std::string_view name) {
    return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

std::uint32_t timeline_of_segment(std::string_view name) {
    std::uint32_t timeline = 0;
    std::from_chars(name.data(), name.data() + std::min<std::size_t>(8, name.size()), timeline, 16);
    return timeline;
}

}  // namespace kedge
