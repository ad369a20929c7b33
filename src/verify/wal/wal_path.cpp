#include <fmt/format.h>

#include <algorithm>

#include "verify/wal/seams.h"

namespace kedge::verify {
namespace {

// The clause for a segment behind which there is no way on.
void end_at(WalPath& path, const WalArchive& archive, const WalSegment& segment) {
    const SegmentScan& scan = segment.scan;
    path.damaged = scan.stop.has_value();
    path.why_it_ends = scan.stop ? fmt::format("{}: {}", segment.path, scan.stop->says)
                                 : fmt::format("{} is written up to {}",
                                               name_of(archive, segment.timeline, segment.number), to_string(scan.end));
}

void end_without(WalPath& path, const WalArchive& archive, const TimelineHistory& history, std::uint64_t number) {
    std::uint32_t timeline = history.back().timeline;
    for (const TimelineStretch& stretch : history)
        if (stretch.begin.value / archive.segment_bytes <= number) timeline = stretch.timeline;
    const bool more = std::ranges::any_of(archive.segments, [&](const WalSegment& segment) {
        return segment.number > number && archive.segment_for(history, segment.number).has_value() &&
               &archive.segments[*archive.segment_for(history, segment.number)] == &segment;
    });
    path.damaged = more;
    path.why_it_ends =
        fmt::format("{} is {}", name_of(archive, timeline, number), more ? "missing" : "not there: nothing newer is");
}

}  // namespace

// Only the newest timeline that has begun by then is asked: the file of an older one would lead off the path.
std::optional<std::size_t> WalArchive::segment_for(const TimelineHistory& history, std::uint64_t number) const {
    for (auto stretch = history.rbegin(); stretch != history.rend(); ++stretch) {
        if (stretch->begin.value / segment_bytes > number) continue;
        const auto at = std::ranges::lower_bound(
            segments, std::pair(number, stretch->timeline), {},
            [](const WalSegment& segment) { return std::pair(segment.number, segment.timeline); });
        if (at != segments.end() && at->number == number && at->timeline == stretch->timeline)
            return static_cast<std::size_t>(at - segments.begin());
        return std::nullopt;
    }
    return std::nullopt;
}

WalPath follow(const WalArchive& archive, std::uint32_t timeline, Lsn begin) {
    WalPath path{.timeline = timeline, .begin = begin, .end = begin};
    const auto history = archive.histories.find(timeline);
    if (history == archive.histories.end() || archive.segment_bytes == 0) {
        path.why_it_ends = fmt::format("nothing of timeline {} is there", timeline);
        return path;
    }
    for (std::uint64_t number = begin.value / archive.segment_bytes;; ++number) {
        const auto index = archive.segment_for(history->second, number);
        if (!index) {
            end_without(path, archive, history->second, number);
            return path;
        }
        const WalSegment& segment = archive.segments[*index];
        const Seam& seam = segment.seam;
        if (!path.segments.empty() && (seam.kind != Seam::Kind::sound || seam.before != path.segments.back())) {
            path.damaged = true;
            path.why_it_ends = fmt::format("{} does not go on from the segment before it", segment.path);
            return path;
        }
        path.segments.push_back(*index);
        path.end = std::max(path.end, segment.scan.end);
        const SegmentEnding ending = segment.scan.ending;
        if (ending != SegmentEnding::full && ending != SegmentEnding::switched) {
            end_at(path, archive, segment);
            return path;
        }
    }
}

}  // namespace kedge::verify
