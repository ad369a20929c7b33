#include "verify/wal/wal_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/wal/seams.h"

namespace kedge::verify {
namespace {

// What most of the sound segments say.
template <class Value, class Get>
Value majority(const std::vector<WalSegment>& segments, Get get) {
    std::map<Value, std::size_t> votes;
    Value best{};
    for (const WalSegment& segment : segments)
        if (segment.scan.magic != 0 && ++votes[get(segment.scan)] > votes[best]) best = get(segment.scan);
    return best;
}

void report_origin(WalArchive& archive, const WalRequest& request) {
    const auto& voters = archive.segments.empty() ? archive.partials : archive.segments;
    const auto magic = majority<std::uint16_t>(voters, [](const SegmentScan& scan) { return scan.magic; });
    archive.major = major_of_magic(magic);
    archive.system_identifier = request.system_identifier.value_or(
        majority<std::uint64_t>(voters, [](const SegmentScan& scan) { return scan.system_identifier; }));
    for (const auto* list : {&archive.segments, &archive.partials})
        for (const WalSegment& segment : *list) {
            const SegmentScan& scan = segment.scan;
            if (scan.system_identifier != 0 && scan.system_identifier != archive.system_identifier)
                archive.examination.findings.add(
                    {Weight::damage, "wal-system-identifier",
                     fmt::format("it is of the database system {}, {} {}", scan.system_identifier,
                                 request.system_identifier ? "expected is" : "the others are of",
                                 archive.system_identifier),
                     segment.path, 24});
            if (scan.magic != magic && scan.major())
                archive.examination.findings.add({Weight::damage, "wal-version",
                                                  fmt::format("it is of PostgreSQL {}, the others are of {}",
                                                              *scan.major(), archive.major.value_or(0)),
                                                  segment.path, 0});
        }
}

void report_stop(Findings& findings, const WalSegment& segment) {
    const SegmentScan& scan = segment.scan;
    findings.merge(scan.findings);
    if (scan.stop)
        findings.add({scan.stop->code == "wal-unreadable" ? Weight::doubt : Weight::damage, scan.stop->code,
                      scan.stop->says, segment.path, scan.stop->offset});
    else if (scan.ending == SegmentEnding::stale)
        findings.add(
            {Weight::damage,
             "wal-stale",
             fmt::format("behind {} it holds older pages: it was copied before it was full", to_string(scan.end)),
             segment.path,
             {}});
}

// A partial segment ends where its timeline was left: it must be readable up to there.
void report_partial(WalArchive& archive, const WalSegment& segment) {
    const Lsn begin{segment.number * archive.segment_bytes}, end{begin.value + archive.segment_bytes};
    Findings& findings = archive.examination.findings;
    findings.merge(segment.scan.findings);
    for (const auto& [timeline, history] : archive.histories)
        for (std::size_t i = 0; i + 1 < history.size(); ++i) {
            const Lsn left = history[i].end;
            if (history[i].timeline != segment.timeline || left <= begin || left > end || segment.scan.end >= left)
                continue;
            findings.add({Weight::damage,
                          "wal-partial",
                          fmt::format("timeline {} leaves this one at {}, but it can be read only up to {}{}", timeline,
                                      to_string(left), to_string(segment.scan.end),
                                      segment.scan.stop ? ": " + segment.scan.stop->says : std::string()),
                          segment.path,
                          {}});
            return;
        }
    findings.add(
        {Weight::remark,
         "wal-partial-end",
         fmt::format("a partial segment, readable up to {}; recovery never asks for it", to_string(segment.scan.end)),
         segment.path,
         {}});
}

const Mark* mark_at(const WalSegment& segment, Lsn at) {
    const auto found = std::ranges::find(segment.scan.marks, at, &Mark::at);
    return found == segment.scan.marks.end() || segment.scan.end < at ? nullptr : &*found;
}

const WalSegment* find(const std::vector<WalSegment>& segments, std::uint32_t timeline, std::uint64_t number) {
    const auto found = std::ranges::find_if(
        segments, [&](const WalSegment& segment) { return segment.timeline == timeline && segment.number == number; });
    return found == segments.end() ? nullptr : &*found;
}

// The segment in which a timeline begins is a copy of its parent's up to the fork.
void report_fork(WalArchive& archive, std::uint32_t timeline, const TimelineHistory& history) {
    const Lsn at = history.back().begin;
    const std::uint64_t number = at.value / archive.segment_bytes;
    const std::uint32_t parent = history[history.size() - 2].timeline;
    const WalSegment* child = find(archive.segments, timeline, number);
    if (child == nullptr) return;
    Findings& findings = archive.examination.findings;
    const Mark* mine = mark_at(*child, at);
    if (mine == nullptr || child->scan.stop) return;
    if (!mine->met)
        findings.add({Weight::damage, "wal-fork-point",
                      fmt::format("the history says that timeline {} begins at {}, but no record begins there",
                                  timeline, to_string(at)),
                      child->path, at.value % archive.segment_bytes});
    for (const auto* list : {&archive.segments, &archive.partials}) {
        const WalSegment* other = find(*list, parent, number);
        const Mark* theirs = other == nullptr ? nullptr : mark_at(*other, at);
        if (theirs != nullptr && theirs->met && theirs->fingerprint != mine->fingerprint)
            findings.add(
                {Weight::damage,
                 "wal-fork-differs",
                 fmt::format("before the fork at {} it does not hold what {} does", to_string(at), other->path),
                 child->path,
                 {}});
    }
}

std::string moment_or_none(const std::optional<Moment>& moment) {
    return moment ? kedge::to_string(*moment) : "none";
}

// One entry for each timeline: what lies in its own segments.
void report_timelines(WalArchive& archive) {
    Json timelines = Json::array();
    for (const auto& [timeline, history] : archive.histories) {
        TransactionSummary transactions;
        std::uint64_t count = 0, records = 0, first = 0, last = 0;
        for (const WalSegment& segment : archive.segments) {
            if (segment.timeline != timeline) continue;
            if (count++ == 0) first = segment.number;
            last = segment.number;
            records += segment.scan.records;
            const TransactionSummary& more = segment.scan.transactions;
            transactions.commits += more.commits;
            transactions.aborts += more.aborts;
            if (more.latest && (!transactions.latest || more.latest->time > transactions.latest->time))
                transactions.latest = more.latest;
            if (more.earliest && (!transactions.earliest || *more.earliest < *transactions.earliest))
                transactions.earliest = more.earliest;
        }
        Json entry{{"timeline", timeline}, {"segments", count}};
        if (history.size() > 1) {
            entry["parent"] = history[history.size() - 2].timeline;
            entry["begins_at"] = to_string(history.back().begin);
        }
        if (count > 0) {
            entry["first_segment"] = name_of(archive, timeline, first);
            entry["last_segment"] = name_of(archive, timeline, last);
            entry["records"] = records;
            entry["commits"] = transactions.commits;
            entry["aborts"] = transactions.aborts;
            entry["earliest_commit"] = moment_or_none(transactions.earliest);
            entry["latest_commit"] =
                moment_or_none(transactions.latest ? std::optional(transactions.latest->time) : std::nullopt);
            archive.examination.contents.push_back(
                {"timeline", std::to_string(timeline), records, count * archive.segment_bytes});
        }
        timelines.push_back(std::move(entry));
    }
    archive.examination.facts["timelines"] = std::move(timelines);
}

void report_proofs(WalArchive& archive) {
    Examination& examination = archive.examination;
    std::uint64_t records = 0, sound = 0, joined = 0;
    for (const WalSegment& segment : archive.segments) {
        records += segment.scan.records;
        sound += segment.scan.stop || segment.scan.ending == SegmentEnding::stale ? 0 : 1;
        joined += segment.seam.kind == Seam::Kind::sound ? 1 : 0;
        examination.bytes += segment.scan.bytes;
        const auto& latest = segment.scan.transactions.latest;
        if (latest && (!examination.taken || latest->time > *examination.taken)) examination.taken = latest->time;
    }
    for (const WalSegment& segment : archive.partials) examination.bytes += segment.scan.bytes;
    examination.facts["segments"] = archive.segments.size();
    examination.facts["partial_segments"] = archive.partials.size();
    examination.facts["segment_bytes"] = archive.segment_bytes;
    examination.facts["records"] = records;
    if (archive.major) examination.facts["server_major"] = *archive.major;
    examination.facts["system_identifier"] = std::to_string(archive.system_identifier);
    if (archive.segments.empty() && archive.partials.empty()) return;
    examination.proofs.push_back(
        {Rung::listed, fmt::format("{} segments on {} timelines", archive.segments.size(), archive.histories.size())});
    if (sound == 0) return;
    const std::string says =
        fmt::format("{} of {} segments read to their end, the checksum of each of {} records fits, {} borders joined",
                    sound, archive.segments.size(), records, joined);
    examination.proofs.push_back({Rung::decoded, says});
    if (sound == archive.segments.size()) examination.proofs.push_back({Rung::checksummed, says});
}

}  // namespace

void report_scans(WalArchive& archive, const WalRequest& request) {
    report_origin(archive, request);
    for (const WalSegment& segment : archive.segments) report_stop(archive.examination.findings, segment);
}

void report_whole(WalArchive& archive, const WalRequest&) {
    if (archive.segment_bytes != 0) {
        for (const WalSegment& segment : archive.partials) report_partial(archive, segment);
        for (const auto& [timeline, history] : archive.histories)
            if (history.size() > 1) report_fork(archive, timeline, history);
        report_timelines(archive);
    }
    report_proofs(archive);
}

}  // namespace kedge::verify
