#include "verify/wal/seams.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/crc32c.h"
#include "verify/little_endian.h"

namespace kedge::verify {
namespace {

// `open` with the bytes of the next segment behind it.
void append(RecordPart& open, const RecordPart& rest) {
    const std::uint32_t header =
        std::min<std::uint32_t>(record_header_bytes - std::min<std::uint32_t>(open.bytes, record_header_bytes),
                                rest.bytes);  // of the record's header, how much lies in the rest
    // The rest was checksummed from its first byte on; what belongs to the header is taken out again.
    const std::uint32_t data = rest.bytes - header;
    const std::uint32_t of_header = crc32c_update(0, Bytes(rest.prefix).first(header));
    open.crc = crc32c_skip(open.crc, data) ^ rest.crc ^ crc32c_skip(of_header, data);
    const std::size_t room = record_prefix_bytes - std::min(open.prefix.size(), record_prefix_bytes);
    open.prefix.insert(open.prefix.end(), rest.prefix.begin(),
                       rest.prefix.begin() + static_cast<std::ptrdiff_t>(std::min(room, rest.prefix.size())));
    open.bytes += rest.bytes;
}

class Joiner {
public:
    Joiner(WalArchive& archive, const WalRequest& request) : archive_(archive), request_(request) {}

    void join_all() {
        for (std::size_t i = 0; i < archive_.segments.size(); ++i) join(i);
        for (const WalSegment& segment : archive_.segments) judge_end(segment);
    }

private:
    void join(std::size_t index);
    void gap_before(std::size_t index);
    // Whether the records go on from `before`; says why not.
    bool fits(const WalSegment& before, WalSegment& segment);
    bool go_on_with(OpenRecord open, WalSegment& segment);
    bool complete_record(const OpenRecord& open, const WalSegment& segment);
    bool broken(const WalSegment& segment, std::string code, std::string says);
    void judge_end(const WalSegment& segment);

    WalArchive& archive_;
    const WalRequest& request_;
};

void Joiner::join(std::size_t index) {
    WalSegment& segment = archive_.segments[index];
    const SegmentScan& scan = segment.scan;
    Seam& seam = segment.seam;
    seam.last_record = scan.last_record;
    const TimelineHistory& history = archive_.histories.at(segment.timeline);
    const auto before = segment.number == 0 ? std::nullopt : archive_.segment_for(history, segment.number - 1);
    if (!before) {
        gap_before(index);
    } else {
        seam.before = *before;
        archive_.segments[*before].seam.followed = true;
        seam.kind = fits(archive_.segments[*before], segment) ? Seam::Kind::sound : Seam::Kind::broken;
    }
    if (scan.tail)
        seam.open = OpenRecord{*scan.tail, index, scan.last_record.value_or(seam.last_record.value_or(Lsn{}))};
}

void Joiner::gap_before(std::size_t index) {
    WalSegment& segment = archive_.segments[index];
    const TimelineHistory& history = archive_.histories.at(segment.timeline);
    for (std::size_t i = index; i-- > 0;) {
        const WalSegment& earlier = archive_.segments[i];
        if (earlier.number >= segment.number || archive_.segment_for(history, earlier.number) != i) continue;
        segment.seam.kind = Seam::Kind::gap;
        segment.seam.before = i;
        const std::uint64_t missing = segment.number - earlier.number - 1;
        archive_.examination.findings.add(
            {Weight::damage,
             "wal-gap",
             missing == 1
                 ? fmt::format("segment {} is missing", name_of(archive_, segment.timeline, segment.number - 1))
                 : fmt::format("{} segments up to {} are missing", missing,
                               name_of(archive_, segment.timeline, segment.number - 1)),
             segment.path,
             {}});
        return;
    }
}

bool Joiner::broken(const WalSegment& segment, std::string code, std::string says) {
    archive_.examination.findings.add({Weight::damage, std::move(code), std::move(says), segment.path, 0});
    return false;
}

bool Joiner::fits(const WalSegment& before, WalSegment& segment) {
    const SegmentScan& scan = segment.scan;
    if (before.scan.ending == SegmentEnding::zeros)
        return broken(segment, "wal-ends-early",
                      fmt::format("{} ends at {}, before its last byte, and this segment follows", before.path,
                                  to_string(before.scan.end)));
    if (before.scan.stop || before.scan.ending == SegmentEnding::stale) return false;  // said there
    if (scan.stop && !scan.first_record && !scan.lead) return false;                   // said here
    const bool goes_on = before.seam.open.has_value() && !scan.overwritten;
    std::optional<Lsn> last = before.seam.last_record;
    if (goes_on != scan.lead.has_value()) {
        // A long record may have begun before everything that there is.
        if (!goes_on && before.seam.kind == Seam::Kind::none && !before.scan.first_record) return true;
        if (scan.stop) return false;
        return broken(segment, "wal-seam",
                      goes_on ? "a record of the segment before does not go on here"
                              : "it begins with the rest of a record that the segment before does not begin");
    }
    if (goes_on) {
        last = before.seam.open->part.at;
        if (!go_on_with(*before.seam.open, segment)) return false;
        if (segment.seam.open) {
            segment.seam.last_record = last;
            return true;
        }
    }
    if (!scan.first_record) {
        segment.seam.last_record = last;
        return true;
    }
    if (!last || scan.first_previous == *last) return true;
    return broken(segment, "wal-previous-link",
                  fmt::format("its first record says that {} is before it; in {} that is {}",
                              to_string(scan.first_previous), before.path, to_string(*last)));
}

// `open` is taken further by what this segment begins with.
bool Joiner::go_on_with(OpenRecord open, WalSegment& segment) {
    const RecordPart& lead = *segment.scan.lead;
    const std::uint32_t left = open.part.total - open.part.bytes;
    if (lead.total != left)
        return broken(segment, "wal-seam",
                      fmt::format("{} bytes of a record must follow here, the page says {}", left, lead.total));
    append(open.part, lead);
    if (open.part.whole()) return complete_record(open, segment);
    segment.seam.open = std::move(open);
    return true;
}

bool Joiner::complete_record(const OpenRecord& open, const WalSegment& segment) {
    const Bytes prefix = open.part.prefix;
    const auto previous = Lsn{load<std::uint64_t>(prefix.data() + 8)};
    if (open.previous != Lsn{} && previous != open.previous)
        return broken(segment, "wal-previous-link",
                      fmt::format("the record at {} says that {} is before it, it is {}", to_string(open.part.at),
                                  to_string(previous), to_string(open.previous)));
    if (~crc32c_update(open.part.crc, prefix.first(record_crc_at)) !=
        load<std::uint32_t>(prefix.data() + record_crc_at))
        return broken(segment, "wal-record-crc",
                      fmt::format("the checksum of the record at {}, which crosses into this segment, does not fit",
                                  to_string(open.part.at)));
    const std::uint64_t begin = segment.number * archive_.segment_bytes;
    const std::uint64_t in_lead = segment.scan.lead->bytes;  // at most what one segment holds besides page headers
    const std::uint64_t first_room = wal_page_bytes - long_header_bytes, room = wal_page_bytes - short_header_bytes;
    const std::uint64_t end = in_lead <= first_room
                                  ? long_header_bytes + in_lead
                                  : wal_page_bytes + (in_lead - first_room - 1) / room * wal_page_bytes +
                                        short_header_bytes + (in_lead - first_room - 1) % room + 1;
    const WalRecordView record{open.part.at,
                               Lsn{begin + ((end + 7) & ~std::uint64_t{7})},
                               open.part.total,
                               load<std::uint32_t>(prefix.data() + 4),
                               load<std::uint8_t>(prefix.data() + 16),
                               load<std::uint8_t>(prefix.data() + 17),
                               prefix};
    WalSegment& origin = archive_.segments[open.segment];
    if (origin.tail_counted) return true;  // by the segment of another timeline
    origin.tail_counted = true;
    origin.scan.count(record, archive_.examination.findings, origin.path, 0);
    if (const auto shape = read_shape(record, origin.scan.major().value_or(0)))
        origin.crossing = transaction_end(record, *shape);
    if (request_.observer != nullptr) request_.observer->see(record);
    return true;
}

void Joiner::judge_end(const WalSegment& segment) {
    if (segment.seam.followed || request_.may_end_open) return;
    if (segment.scan.ending == SegmentEnding::zeros && segment.scan.bytes == archive_.segment_bytes)
        archive_.examination.findings.add(
            {Weight::doubt, "wal-ends-in-zeros",
             fmt::format("it ends at {} and is not full: it was copied from a running server, or its end is lost",
                         to_string(segment.scan.end)),
             segment.path, segment.scan.end.value % archive_.segment_bytes});
}

}  // namespace

std::string name_of(const WalArchive& archive, std::uint32_t timeline, std::uint64_t number) {
    return segment_name(timeline, Lsn{number * archive.segment_bytes}, archive.segment_bytes);
}

void join_segments(WalArchive& archive, const WalRequest& request) {
    Joiner(archive, request).join_all();
}

}  // namespace kedge::verify
