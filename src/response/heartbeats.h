// What numbered writes from outside say about an outage and a loss: the figures of a drill.
//
// A writer sends numbered rows all the time and notes each attempt. After the drill the stores are read
// back. From both follow the outage that clients saw, the acknowledged rows that are gone, and how far
// back in time the loss reaches. Nothing here reads a clock or a store; what was not measured stays
// unknown (an empty optional), and a loss is never made smaller than it may have been.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace kedge {

// One try to write the row `sequence` of a stream. A sequence number is used once.
struct Attempt {
    std::int64_t sequence = 0;
    Moment sent{};
    Moment done{};              // when the answer came, or when the writer gave up
    bool acknowledged = false;  // the store said that it is there; otherwise it may be there or not
    std::string error = {};     // why not
    std::string region = {};    // who answered; may be empty
};

// One line of the writer's log: a JSON object. `stream` names the series of numbers.
std::string to_line(const std::string& stream, const Attempt& attempt);

struct AttemptLog {
    std::map<std::string, std::vector<Attempt>> streams;  // each in order of its sequence numbers
    std::int64_t unreadable_lines = 0;                    // a cut last line is one of them
};
// Reads a writer's log. Never fails: what it cannot read it counts.
AttemptLog parse_attempt_log(std::string_view text);

// Numbers from `first` to `last`, both included.
struct SequenceRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
    friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};
// The shortest list of ranges that holds exactly these numbers; their order and repetitions do not matter.
std::vector<SequenceRange> to_ranges(std::vector<std::int64_t> numbers);
// "1-5 7 9-12", at most `count` ranges, then how many more.
std::string readable(const std::vector<SequenceRange>& ranges, std::size_t count = 8);

struct OutageRules {
    Span unbroken = std::chrono::seconds{10};  // how long writes must be acknowledged before it counts as over
    // Acknowledgements further apart than this are no unbroken service, even if nothing failed between
    // them: perhaps nobody tried. Must be longer than the writer's own interval.
    Span silence_max = std::chrono::seconds{1};
};

// From the first failed write to the first of ten seconds of unbroken acknowledged writes.
struct Outage {
    Moment first_failed{};         // when the first failed attempt was sent
    std::optional<Moment> over{};  // when the first of the unbroken acknowledgements came; empty: not seen
    std::int64_t failed = 0;       // attempts that failed until then
    std::optional<Span> span() const {
        if (!over) return std::nullopt;
        return *over - first_failed;
    }
};
// Every outage that touches [from, end of the attempts), oldest first. A failed attempt that was answered
// before `from` does not count. `attempts` in order of their sequence numbers.
std::vector<Outage> outages(const std::vector<Attempt>& attempts, Moment from, const OutageRules& rules = {});

struct Gap {
    Moment from{};
    Moment to{};
    Span span() const { return to - from; }
};
// The longest time between two acknowledgements that follow each other, both after `from`; unknown with
// fewer than two.
std::optional<Gap> largest_gap(const std::vector<Attempt>& attempts, Moment from);

struct Loss {
    std::int64_t acknowledged = 0;
    std::vector<SequenceRange> missing{};       // acknowledged, but not there afterwards
    std::int64_t rows = 0;                      // how many those are
    std::optional<Attempt> oldest_missing{};    // the one that was acknowledged first
    std::int64_t acknowledged_after_fault = 0;  // of the missing rows
    // Fault time minus the acknowledgement of the oldest missing row; zero if none is missing. Where an
    // old primary went on to acknowledge rows after the fault, up to the newest of those instead: the
    // greater of both. Unknown if rows are missing and the fault's time is.
    std::optional<Span> rpo{};
    std::int64_t stored_unacknowledged = 0;  // there, though their writer was told nothing or no
};
// Compares what was acknowledged with the numbers that are stored afterwards. Unknown if `stored` is, that
// is if the store could not be read back. `end` bounds the attempts: those acknowledged later are left out.
std::optional<Loss> count_loss(const std::vector<Attempt>& attempts,
                               const std::optional<std::vector<std::int64_t>>& stored, std::optional<Moment> fault);

}  // namespace kedge
