#include "verify/wal/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "verify/aligned_buffer.h"
#include "verify/crc32c.h"
#include "verify/little_endian.h"

namespace kedge::verify {
namespace {

constexpr std::size_t read_pages = 32;  // 256 KiB: stays in a core's own cache between reading and checking

constexpr const char* after_switch =
    "the rest of a segment behind a switch must be zero and is not; recovery does not read it";

constexpr std::size_t aligned(std::size_t offset) {
    return (offset + 7) & ~std::size_t{7};
}

// A record of which not all bytes have come yet.
struct Assembly {
    bool active = false;
    bool is_lead = false;
    Lsn at;
    std::uint32_t total = 0, have = 0;
    std::uint32_t crc = 0;
    std::array<std::byte, record_prefix_bytes> prefix;

    void begin(bool lead, Lsn from, std::uint32_t bytes) {
        active = true;
        is_lead = lead;
        at = from;
        total = bytes;
        have = 0;
        crc = lead ? 0 : crc32c_start;
    }
    std::uint32_t left() const { return total - have; }
    Bytes kept() const { return Bytes(prefix).first(std::min<std::size_t>(have, prefix.size())); }

    void take(Bytes bytes) {
        // One in every page: a copy byte by byte was a seventh of the time.
        if (have < prefix.size())
            std::memcpy(prefix.data() + have, bytes.data(), std::min(bytes.size(), prefix.size() - have));
        // The checksum begins with the data and ends with the header, which is added when all is there.
        const std::size_t header = is_lead ? 0 : record_header_bytes - std::min<std::size_t>(have, record_header_bytes);
        crc = crc32c_update(crc, bytes.subspan(std::min(header, bytes.size())));
        have += static_cast<std::uint32_t>(bytes.size());
    }
    RecordPart part() const { return {at, have, total, crc, {kept().begin(), kept().end()}}; }
};

class SegmentScanner {
public:
    SegmentScanner(const ScanRequest& request, const std::string& where, SegmentScan& scan)
        : request_(request), where_(where), scan_(scan), end_(request.begin) {
        for (const Lsn mark : request.marks) scan.marks.push_back({mark});
    }

    // Takes all whole pages, up to the end of the segment.
    void take_pages(Bytes pages);
    // False when there is no sense in reading on.
    bool goes_on() const { return goes_on_; }
    // The bytes end here, well or not.
    void finish(const std::optional<Flaw>& flaw);

private:
    using Page = const std::byte*;

    bool take(Page page);
    void stop(std::string code, std::string says, std::size_t in_page = 0);
    Lsn here(std::size_t in_page) const { return Lsn{request_.begin.value + offset_ + in_page}; }
    void note(std::size_t in_page, Weight weight, std::string code, std::string says);
    void end_with(SegmentEnding ending, Lsn at);

    bool look_behind_the_end(Page page);
    bool check_header(Page page, const WalPageHeader& header);
    bool check_long_header(Page page);
    bool check_timeline(const WalPageHeader& header);
    bool go_on_with_record(Page page, const WalPageHeader& header, std::size_t& at);
    bool take_records(Page page, std::size_t at);
    bool take_record(Page page, std::size_t& at);
    bool begin_record(Page page, std::size_t& at, std::uint32_t bytes);
    bool finish_record(const WalRecordView& record, std::uint32_t crc, std::size_t in_page);
    bool check_padding(Page page, std::size_t& at);
    bool end_at_zeros(Page page, std::size_t at);
    void pass_marks(Lsn at);

    const ScanRequest& request_;
    const std::string& where_;
    SegmentScan& scan_;
    std::uint64_t offset_ = 0;  // of the page that is looked at
    std::uint32_t page_timeline_ = 0;
    Assembly assembly_;
    Lsn end_;
    bool ended_ = false, goes_on_ = true;
    std::size_t next_mark_ = 0;
};

void SegmentScanner::note(std::size_t in_page, Weight weight, std::string code, std::string says) {
    scan_.findings.add({weight, std::move(code), std::move(says), where_, offset_ + in_page});
}

void SegmentScanner::end_with(SegmentEnding ending, Lsn at) {
    ended_ = true;
    scan_.ending = ending;
    scan_.end = at;
}

void SegmentScanner::stop(std::string code, std::string says, std::size_t in_page) {
    if (!ended_) end_with(SegmentEnding::stopped, end_);
    scan_.ending = SegmentEnding::stopped;
    scan_.stop = {scan_.end, offset_ + in_page, std::move(code), std::move(says)};
}

void SegmentScanner::take_pages(Bytes pages) {
    for (std::size_t at = 0; goes_on_ && at + wal_page_bytes <= pages.size(); at += wal_page_bytes) {
        if (offset_ >= request_.segment_bytes) return;
        goes_on_ = take(pages.data() + at);
        offset_ += wal_page_bytes;
    }
}

bool SegmentScanner::take(Page page) {
    if (ended_) return look_behind_the_end(page);
    if (is_zero({page, short_header_bytes})) {
        end_with(SegmentEnding::zeros, end_);
        return look_behind_the_end(page);
    }
    const WalPageHeader header = read_page_header(page);
    if (!check_header(page, header)) return false;
    std::size_t at = header.bytes();
    return go_on_with_record(page, header, at) && take_records(page, at);
}

bool SegmentScanner::look_behind_the_end(Page page) {
    const Bytes bytes(page, wal_page_bytes);
    if (is_zero(bytes)) return true;
    const auto junk = static_cast<std::size_t>(
        std::ranges::find_if(bytes, [](std::byte b) { return b != std::byte{0}; }) - bytes.begin());
    const WalPageHeader header = read_page_header(page);
    if (scan_.ending == SegmentEnding::switched) {
        note(junk, Weight::damage, "wal-after-switch", after_switch);
        return true;
    }
    if (major_of_magic(header.magic) && header.at == here(0)) {
        stop("wal-hole", fmt::format("nothing is written at {}, but the page behind it is", to_string(scan_.end)));
        return false;
    }
    if (major_of_magic(header.magic) && header.at < here(0) && header.at.value % wal_page_bytes == 0) {
        scan_.ending = SegmentEnding::stale;
        return false;
    }
    stop("wal-after-end", fmt::format("behind the end at {} there must be zeros, and there are not", to_string(end_)),
         junk);
    return false;
}

bool SegmentScanner::check_header(Page page, const WalPageHeader& header) {
    const bool first = offset_ == 0;
    if (first) scan_.magic = header.magic;
    if (!major_of_magic(header.magic) || header.magic != scan_.magic) {
        stop("wal-page-magic", fmt::format("a page begins with {:04X}, which no page of this log does", header.magic));
        return false;
    }
    if (header.at != here(0)) {
        const bool older = header.at < here(0) && header.at.value % wal_page_bytes == 0;
        stop("wal-page-position",
             fmt::format("the page at {} says that it is the one at {}", to_string(here(0)), to_string(header.at)));
        if (older && !first) scan_.ending = SegmentEnding::stale;
        return false;
    }
    constexpr std::uint16_t known = 15;
    if ((header.flags & ~known) != 0 || header.has(WalPageHeader::is_long) != first ||
        header.has(WalPageHeader::continues) != (header.remaining != 0) ||
        (header.has(WalPageHeader::continues) && header.has(WalPageHeader::overwrites))) {
        stop("wal-page-flags", fmt::format("the flags {:04X} of a page cannot be", header.flags));
        return false;
    }
    if (header.padding != 0)
        note(20, Weight::damage, "wal-page-padding", "bytes of a page header that are always zero are not");
    return check_timeline(header) && (!first || check_long_header(page));
}

bool SegmentScanner::check_long_header(Page page) {
    const WalLongHeader header = read_long_header(page);
    scan_.system_identifier = header.system_identifier;
    if (header.segment_bytes == request_.segment_bytes && header.page_bytes == wal_page_bytes) return true;
    stop("wal-segment-size",
         fmt::format("it says that segments have {} bytes in pages of {}, the others say {} and {}",
                     header.segment_bytes, header.page_bytes, request_.segment_bytes, wal_page_bytes));
    return false;
}

// A page belongs to the timeline whose stretch of the history it begins in. Without the history only the order is
// known: timelines do not go back.
bool SegmentScanner::check_timeline(const WalPageHeader& header) {
    std::uint32_t expected = request_.timeline;
    if (request_.history != nullptr) {
        for (const TimelineStretch& stretch : *request_.history)
            if (stretch.begin <= here(0) && here(0) < stretch.end) expected = stretch.timeline;
    } else if (header.timeline >= page_timeline_ && header.timeline <= request_.timeline && header.timeline != 0) {
        expected = header.timeline;
    }
    page_timeline_ = header.timeline;
    if (header.timeline == expected) return true;
    stop("wal-page-timeline", fmt::format("the page at {} is of timeline {}, expected is {}", to_string(here(0)),
                                          header.timeline, expected));
    return false;
}

// Takes what belongs to a record that began earlier; `at` moves behind it.
bool SegmentScanner::go_on_with_record(Page page, const WalPageHeader& header, std::size_t& at) {
    if (header.has(WalPageHeader::overwrites)) {
        // After a crash: the record that was begun never came. Reading goes on with the first one here.
        scan_.overwritten = offset_ == 0;
        assembly_.active = false;
        note(0, Weight::remark, "wal-overwritten", "a record was begun and never finished: a crash, legal and void");
        return true;
    }
    if (offset_ == 0 && header.has(WalPageHeader::continues)) assembly_.begin(true, {}, header.remaining);
    const std::uint32_t awaited = assembly_.active ? assembly_.left() : 0;
    if (header.remaining != awaited) {
        stop("wal-continuation",
             fmt::format("{} bytes of a record must follow here, the page says {}", awaited, header.remaining));
        return false;
    }
    if (awaited == 0) return true;
    const std::size_t here_bytes = std::min<std::size_t>(awaited, wal_page_bytes - at);
    assembly_.take({page + at, here_bytes});
    at += here_bytes;
    if (assembly_.left() > 0) return true;
    assembly_.active = false;
    if (assembly_.is_lead) {
        scan_.lead = assembly_.part();
        end_ = here(aligned(at));
    } else {
        const Bytes prefix = assembly_.kept();
        const WalRecordView record{assembly_.at,
                                   here(aligned(at)),
                                   assembly_.total,
                                   load<std::uint32_t>(prefix.data() + 4),
                                   load<std::uint8_t>(prefix.data() + 16),
                                   load<std::uint8_t>(prefix.data() + 17),
                                   prefix};
        if (!finish_record(record, assembly_.crc, at)) return false;
    }
    return check_padding(page, at);
}

bool SegmentScanner::take_records(Page page, std::size_t at) {
    while (at < wal_page_bytes && !assembly_.active && !ended_)
        if (!take_record(page, at)) return false;
    if (scan_.ending == SegmentEnding::switched && at < wal_page_bytes && !is_zero({page + at, wal_page_bytes - at}))
        note(at, Weight::damage, "wal-after-switch", after_switch);
    return true;
}

bool SegmentScanner::take_record(Page page, std::size_t& at) {
    const auto bytes = load<std::uint32_t>(page + at);
    pass_marks(here(at));
    if (bytes == 0) return end_at_zeros(page, at);
    if (bytes < record_header_bytes) {
        stop("wal-record-length", fmt::format("the record at {} says that it has {} bytes", to_string(here(at)), bytes),
             at);
        return false;
    }
    if (bytes > wal_page_bytes - at) return begin_record(page, at, bytes);
    const Bytes all(page + at, bytes);
    const WalRecordView record{here(at),
                               here(aligned(at + bytes)),
                               bytes,
                               load<std::uint32_t>(page + at + 4),
                               load<std::uint8_t>(page + at + 16),
                               load<std::uint8_t>(page + at + 17),
                               all};
    if (!finish_record(record, crc32c_update(crc32c_start, all.subspan(record_header_bytes)), at)) return false;
    at += bytes;
    return check_padding(page, at);
}

bool SegmentScanner::begin_record(Page page, std::size_t& at, std::uint32_t bytes) {
    end_ = here(at);
    assembly_.begin(false, here(at), bytes);
    assembly_.take({page + at, wal_page_bytes - at});
    at = wal_page_bytes;
    return true;
}

// `crc` is the state after the record's data.
bool SegmentScanner::finish_record(const WalRecordView& record, std::uint32_t crc, std::size_t in_page) {
    const auto previous = Lsn{load<std::uint64_t>(record.prefix.data() + 8)};
    if (scan_.last_record && previous != *scan_.last_record) {
        stop("wal-previous-link",
             fmt::format("the record at {} says that {} is before it, it is {}", to_string(record.at),
                         to_string(previous), to_string(*scan_.last_record)),
             in_page);
        return false;
    }
    const auto stored = load<std::uint32_t>(record.prefix.data() + record_crc_at);
    if (~crc32c_update(crc, record.prefix.first(record_crc_at)) != stored) {
        stop("wal-record-crc", fmt::format("the checksum of the record at {} does not fit", to_string(record.at)),
             in_page);
        return false;
    }
    if (!scan_.first_record) {
        scan_.first_record = record.at;
        scan_.first_previous = previous;
    }
    scan_.last_record = record.at;
    end_ = record.end;
    scan_.count(record, scan_.findings, where_, offset_ + in_page);
    if (request_.observer != nullptr) request_.observer->see(record);
    if (is_switch(record.manager, record.info))
        end_with(SegmentEnding::switched, Lsn{request_.begin.value + request_.segment_bytes});
    return true;
}

// Moves `at` to where the next record may begin. What is skipped is in no checksum, but always zero.
bool SegmentScanner::check_padding(Page page, std::size_t& at) {
    for (; at % 8 != 0; ++at)
        if (page[at] != std::byte{0})
            note(at, Weight::damage, "wal-record-padding", "bytes between two records are always zero and are not");
    return true;
}

bool SegmentScanner::end_at_zeros(Page page, std::size_t at) {
    end_with(SegmentEnding::zeros, here(at));
    if (is_zero({page + at, wal_page_bytes - at})) return true;
    stop("wal-after-end", fmt::format("behind the end at {} there must be zeros, and there are not", to_string(end_)),
         at);
    return false;
}

void SegmentScanner::pass_marks(Lsn at) {
    for (; next_mark_ < scan_.marks.size() && scan_.marks[next_mark_].at <= at; ++next_mark_) {
        scan_.marks[next_mark_].fingerprint = scan_.fingerprint;
        // At the very end of a page the next record begins behind the header of the page that follows.
        const Lsn mark = scan_.marks[next_mark_].at;
        const std::uint64_t header = mark.value % request_.segment_bytes == 0 ? long_header_bytes
                                     : mark.value % wal_page_bytes == 0       ? short_header_bytes
                                                                              : 0;
        scan_.marks[next_mark_].met = mark.value + header == at.value;
    }
}

void SegmentScanner::finish(const std::optional<Flaw>& flaw) {
    if (!goes_on_) return;  // why is said already
    if (flaw) return stop("wal-unpack", "it does not unpack: " + flaw->says);
    if (scan_.bytes != request_.segment_bytes)
        note(0, Weight::damage, "wal-segment-length",
             fmt::format("it has {}{} bytes where a segment has {}: recovery from an archive refuses it",
                         scan_.bytes > request_.segment_bytes ? "at least " : "", scan_.bytes, request_.segment_bytes));
    if (ended_) return;
    const bool cut = scan_.bytes < request_.segment_bytes;
    if (assembly_.active && !cut) (assembly_.is_lead ? scan_.lead : scan_.tail) = assembly_.part();
    scan_.end = end_;
    scan_.ending = cut ? SegmentEnding::zeros : SegmentEnding::full;
}

}  // namespace

void TransactionSummary::add(const TransactionEnd& end) {
    ++(end.committed ? commits : aborts);
    if (!first) first = end;
    last = end;
    if (!latest || end.time > latest->time) latest = end;
    if (!earliest || end.time < *earliest) earliest = end.time;
}

void SegmentScan::count(const WalRecordView& record, Findings& into, const std::string& where, std::uint64_t offset) {
    ++records;
    record_bytes += record.bytes;
    const auto stored = load<std::uint32_t>(record.prefix.data() + record_crc_at);
    fingerprint = (std::rotl(fingerprint, 5) ^ stored) * 0x9E3779B97F4A7C15;
    const int version = major().value_or(0);
    if (!is_manager(record.manager, version)) {
        into.add({Weight::damage, "wal-record-manager",
                  fmt::format("the record at {} is for resource manager {}, which there is not", to_string(record.at),
                              record.manager),
                  where, offset});
        return;
    }
    const auto shape = read_shape(record, version);
    if (!shape) {
        into.add({Weight::damage, "wal-record-shape",
                  fmt::format("the parts of the record at {} do not make it up", to_string(record.at)), where, offset});
        return;
    }
    image_bytes += shape->image_bytes;
    if (const auto ended = transaction_end(record, *shape)) transactions.add(*ended);
    if (record.manager != manager_xlog) return;
    if (const auto checkpoint = checkpoint_record(record, *shape)) {
        ++checkpoints;
        last_checkpoint = checkpoint;
    }
    if (auto point = restore_point(record, *shape); point && restore_points.size() < kept_max)
        restore_points.push_back(std::move(*point));
    if (const auto start = backup_end(record, *shape); start && backup_ends.size() < kept_max)
        backup_ends.push_back({*start, record.end});
}

Result<SegmentScan> scan_segment(MemberStream& content, const std::string& where, const ScanRequest& request,
                                 Effort& effort) {
    SegmentScan scan;
    SegmentScanner scanner(request, where, scan);
    thread_local AlignedBuffer buffer(read_pages * wal_page_bytes);
    for (bool more = true; more && scanner.goes_on();) {
        if (effort.stop) return Error{Fault::unavailable, where + ": reading was called off"};
        const std::size_t count = TRY(content.read(buffer.all()).within(where));
        scan.bytes += count;
        more = count == buffer.all().size() && scan.bytes <= request.segment_bytes;
        scanner.take_pages(buffer.all().first(count));
    }
    scanner.finish(content.flaw());
    return scan;
}

}  // namespace kedge::verify
