// Timelines: where two histories of one database part, and the names of log files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"

namespace kedge {

// One stretch of a history: positions from `begin` up to `end` were written on `timeline`.
struct TimelineStretch {
    std::uint32_t timeline = 0;
    Lsn begin;
    Lsn end{~std::uint64_t{0}};  // of the last stretch: not known, without end
    friend bool operator==(const TimelineStretch&, const TimelineStretch&) = default;
};
using TimelineHistory = std::vector<TimelineStretch>;  // oldest first, never empty

// "00000002.history"
std::string history_file_name(std::uint32_t timeline);
// The history of `timeline` from the content of its history file; `text` is empty for timeline 1, which has none.
// corrupt for a line that is no history.
Result<TimelineHistory> parse_history(std::string_view text, std::uint32_t timeline);

// Where `mine` leaves `theirs`: the index of the last stretch in common, and the position at its end.
struct Fork {
    std::size_t stretch = 0;
    Lsn at;
};
// invalid_input when the two have nothing in common.
Result<Fork> find_fork(const TimelineHistory& mine, const TimelineHistory& theirs);

// "000000010000000000000003": the file of `timeline` that holds `position`.
std::string segment_name(std::uint32_t timeline, Lsn position, std::uint64_t segment_bytes);
// Whether a name is that of a complete log file (no .partial, .history, .backup).
bool is_segment_name(std::string_view name);
std::uint32_t timeline_of_segment(std::string_view name);

}  // namespace kedge
