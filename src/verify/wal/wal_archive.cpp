#include "verify/wal/wal_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "verify/wal/seams.h"
#include "verify/wal/wal_report.h"

namespace kedge::verify {
namespace {

constexpr std::size_t text_bytes_max = 1u << 20;  // of a history file; real ones have some hundred

// All of a small file. Something too long is corrupt.
Result<std::string> read_text(const Member& member, const Limits& limits) {
    const auto content = TRY(MemberStream::open(member, limits));
    std::string text(text_bytes_max + 1, '\0');
    text.resize(TRY(content->read(std::as_writable_bytes(std::span(text)))));
    if (const auto flaw = content->flaw()) return Error{Fault::corrupt, flaw->says};
    if (text.size() > text_bytes_max) return Error{Fault::corrupt, "it is longer than any such file"};
    return text;
}

class Examiner {
public:
    Examiner(const std::vector<Member>& members, const Limits& limits, Effort& effort, const WalRequest& request)
        : members_(members), limits_(limits), effort_(effort), request_(request) {}

    WalArchive examine();

private:
    struct Found {
        std::size_t member;
        WalFileName name;
    };

    void sort_members();
    void read_histories();
    void read_backups();
    void find_segment_size();
    std::optional<WalLongHeader> look_at(const Member& member) const;
    std::vector<WalSegment> placed(const std::vector<Found>& found);
    void scan(std::vector<WalSegment>& segments);
    void scan_one(WalSegment& segment);
    std::vector<Lsn> marks_of(std::uint32_t timeline, std::uint64_t number) const;
    void drop_duplicates();
    void add(Weight weight, std::string code, std::string says, const std::string& where) {
        archive_.examination.findings.add({weight, std::move(code), std::move(says), where, {}});
    }

    const std::vector<Member>& members_;
    const Limits& limits_;
    Effort& effort_;
    const WalRequest& request_;
    std::vector<Found> segments_, partials_, histories_, backups_;
    WalArchive archive_;
};

void Examiner::sort_members() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        Found found{i, parse_wal_file_name(members_[i].path)};
        switch (found.name.kind) {
            case WalFileKind::segment: segments_.push_back(std::move(found)); break;
            case WalFileKind::partial: partials_.push_back(std::move(found)); break;
            case WalFileKind::history: histories_.push_back(std::move(found)); break;
            case WalFileKind::backup_history: backups_.push_back(std::move(found)); break;
            case WalFileKind::foreign:
                if (!members_[i].path.starts_with("archive_status/") && !members_[i].path.starts_with("summaries/"))
                    add(Weight::remark, "wal-foreign", "recovery never asks for a file of this name", members_[i].path);
        }
    }
}

void Examiner::read_histories() {
    for (const Found& found : histories_) {
        const Member& member = members_[found.member];
        const auto text = read_text(member, limits_);
        if (!text && text.error().fault != Fault::corrupt) {
            add(Weight::doubt, "wal-unreadable", text.error().message, member.path);
            continue;
        }
        auto history = text ? parse_history(*text, found.name.timeline) : Result<TimelineHistory>(text.error());
        if (history)
            archive_.histories.insert_or_assign(found.name.timeline, std::move(*history));
        else
            add(Weight::damage, "wal-history", history.error().message, member.path);
    }
    for (const auto* list : {&segments_, &partials_})
        for (const Found& found : *list) {
            const std::uint32_t timeline = found.name.timeline;
            const bool known =
                !archive_.histories.try_emplace(timeline, TimelineHistory{{.timeline = timeline}}).second;
            if (!known && timeline > 1)
                add(Weight::doubt, "wal-history-missing",
                    fmt::format("{} is missing: recovery takes timeline {} as one without parents",
                                history_file_name(timeline), timeline),
                    members_[found.member].path);
        }
}

void Examiner::read_backups() {
    for (const Found& found : backups_) {
        const Member& member = members_[found.member];
        const auto text = read_text(member, limits_);
        const auto label = text ? parse_backup_label(*text) : Result<BackupLabel>(text.error());
        if (label)
            archive_.backups.push_back(*label);
        else
            add(label.error().fault == Fault::corrupt ? Weight::damage : Weight::doubt, "wal-backup-history",
                label.error().message, member.path);
    }
}

std::optional<WalLongHeader> Examiner::look_at(const Member& member) const {
    const auto content = MemberStream::open(member, limits_);
    std::array<std::byte, long_header_bytes> front;
    if (!content || (*content)->read(front).value_or(0) < front.size()) return std::nullopt;
    const WalPageHeader header = read_page_header(front.data());
    const WalLongHeader more = read_long_header(front.data());
    if (!major_of_magic(header.magic) || !is_segment_size(more.segment_bytes)) return std::nullopt;
    return more;
}

// By the majority of the first ones that can be read: one damaged header must not make all others wrong.
void Examiner::find_segment_size() {
    constexpr std::size_t asked_max = 9, looked_max = 1000;
    std::map<std::uint32_t, std::size_t> votes;
    std::size_t asked = 0, looked = 0;
    for (const auto* list : {&segments_, &partials_})
        for (const Found& found : *list) {
            if (asked == asked_max || looked++ == looked_max) break;
            if (const auto header = look_at(members_[found.member])) {
                ++votes[header->segment_bytes];
                ++asked;
            }
        }
    for (const auto& [bytes, count] : votes)
        if (count > votes[static_cast<std::uint32_t>(archive_.segment_bytes)]) archive_.segment_bytes = bytes;
    if (archive_.segment_bytes == 0 && !(segments_.empty() && partials_.empty()))
        add(Weight::damage, "wal-no-header", "no segment begins with a page of the log", "");
}

std::vector<WalSegment> Examiner::placed(const std::vector<Found>& found) {
    std::vector<WalSegment> segments;
    for (const Found& one : found) {
        const Member& member = members_[one.member];
        if (one.name.fits(archive_.segment_bytes))
            segments.push_back(
                {one.member, member.path, one.name.timeline, one.name.number(archive_.segment_bytes), {}, {}});
        else
            add(Weight::damage, "wal-name",
                fmt::format("segments of {} bytes have no such name", archive_.segment_bytes), member.path);
    }
    std::ranges::sort(segments, {}, [](const WalSegment& segment) {
        return std::tuple(segment.number, segment.timeline, std::string_view(segment.path));
    });
    return segments;
}

// Where timelines part in this segment: the records before must be the same on both.
std::vector<Lsn> Examiner::marks_of(std::uint32_t timeline, std::uint64_t number) const {
    std::vector<Lsn> marks;
    for (const auto& [child, history] : archive_.histories)
        for (std::size_t i = 0; i < history.size(); ++i) {
            const bool concerns = history[i].timeline == timeline || (i > 0 && history[i - 1].timeline == timeline);
            if (i > 0 && concerns && history[i].begin.value / archive_.segment_bytes == number)
                marks.push_back(history[i].begin);
        }
    std::ranges::sort(marks);
    marks.erase(std::ranges::unique(marks).begin(), marks.end());
    return marks;
}

void Examiner::scan_one(WalSegment& segment) {
    const Member& member = members_[segment.member];
    const bool known_history = segment.timeline == 1 || archive_.histories.at(segment.timeline).size() > 1;
    const ScanRequest request{.begin = Lsn{segment.number * archive_.segment_bytes},
                              .segment_bytes = archive_.segment_bytes,
                              .timeline = segment.timeline,
                              .history = known_history ? &archive_.histories.at(segment.timeline) : nullptr,
                              .marks = marks_of(segment.timeline, segment.number),
                              .observer = request_.observer};
    auto content = MemberStream::open(member, limits_);
    auto scan = content ? scan_segment(**content, member.path, request, effort_) : Result<SegmentScan>(content.error());
    if (scan) {
        segment.scan = std::move(*scan);
        return;
    }
    segment.scan.end = request.begin;
    segment.scan.ending = SegmentEnding::stopped;
    segment.scan.stop = {request.begin, 0, "wal-unreadable", scan.error().message};
}

void Examiner::scan(std::vector<WalSegment>& segments) {
    in_parallel(segments.size(), effort_.threads, [&](std::size_t i) { scan_one(segments[i]); });
}

// The same segment may be there raw and packed. The first is kept; the others must say the same.
void Examiner::drop_duplicates() {
    auto& segments = archive_.segments;
    std::vector<WalSegment> kept;
    for (WalSegment& segment : segments) {
        if (kept.empty() || kept.back().number != segment.number || kept.back().timeline != segment.timeline) {
            kept.push_back(std::move(segment));
            continue;
        }
        const bool same = kept.back().scan.fingerprint == segment.scan.fingerprint &&
                          kept.back().scan.end == segment.scan.end && !kept.back().scan.stop;
        add(same ? Weight::remark : Weight::damage, same ? "wal-duplicate" : "wal-duplicate-differs",
            fmt::format("it is the same segment as {}{}", kept.back().path, same ? "" : ", and holds something else"),
            segment.path);
    }
    segments = std::move(kept);
}

WalArchive Examiner::examine() {
    archive_.examination.kind = "PostgreSQL write-ahead log";
    sort_members();
    read_histories();
    read_backups();
    find_segment_size();
    if (archive_.segment_bytes != 0) {
        archive_.segments = placed(segments_);
        archive_.partials = placed(partials_);
        scan(archive_.segments);
        scan(archive_.partials);
        drop_duplicates();
        report_scans(archive_, request_);
        join_segments(archive_, request_);
    }
    report_whole(archive_, request_);
    return std::move(archive_);
}

}  // namespace

WalArchive examine_wal(const std::vector<Member>& members, const Limits& limits, Effort& effort,
                       const WalRequest& request) {
    return Examiner(members, limits, effort, request).examine();
}

}  // namespace kedge::verify
