#include "verify/wal/window.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::verify {
namespace {

class EndObserver final : public RecordObserver {
public:
    EndObserver(int major, const TransactionSource::Visit& visit) : major_(major), visit_(visit) {}
    void see(const WalRecordView& record) override {
        if (record.manager != manager_transaction) return;
        const auto shape = read_shape(record, major_);
        if (!shape) return;  // said when it was examined
        if (const auto end = transaction_end(record, *shape)) visit_(*end);
    }

private:
    const int major_;
    const TransactionSource::Visit& visit_;
};

// Visits the ends of all transactions of a path whose records begin in [from, to), as far as `interesting` says of
// their segment; the visitor returns whether it wants more.
template <class Interesting, class Visit>
Result<void> visit_path(const WalArchive& archive, const WalPath& path, Lsn from, Lsn to,
                        const TransactionSource& source, Interesting interesting, Visit visit) {
    bool more = true;
    for (const std::size_t index : path.segments) {
        const WalSegment& segment = archive.segments[index];
        const std::uint64_t begin = segment.number * archive.segment_bytes;
        if (!more || begin >= to.value) break;
        if (begin + archive.segment_bytes <= from.value || !segment.scan.transactions.latest || !interesting(segment))
            continue;
        TRY(source.visit(segment, [&](const TransactionEnd& end) {
            if (more && end.at >= from && end.at < to && end.at < path.end) more = visit(end);
        }));
    }
    return {};
}

// The latest time of the transactions that end in [from, to). Whole segments are not read again.
Result<std::optional<Moment>> latest_between(const WalArchive& archive, const WalPath& path, Lsn from, Lsn to,
                                             const TransactionSource& source) {
    std::optional<Moment> latest;
    const auto take = [&](Moment time) {
        if (!latest || time > *latest) latest = time;
    };
    for (const std::size_t index : path.segments) {
        const WalSegment& segment = archive.segments[index];
        const std::uint64_t begin = segment.number * archive.segment_bytes;
        if (begin >= from.value && begin + archive.segment_bytes <= to.value && segment.scan.transactions.latest)
            take(segment.scan.transactions.latest->time);
    }
    TRY(visit_path(
        archive, path, from, to, source,
        [&](const WalSegment& segment) {
            const std::uint64_t begin = segment.number * archive.segment_bytes;
            const bool whole = begin >= from.value && begin + archive.segment_bytes <= to.value;
            return !whole && (!latest || segment.scan.transactions.latest->time > *latest);
        },
        [&](const TransactionEnd& end) {
            take(end.time);
            return true;
        }));
    return latest;
}

// Whether `position` of `timeline` is on the way to the end of `history`.
bool is_on(const TimelineHistory& history, std::uint32_t timeline, Lsn position) {
    return std::ranges::any_of(history, [&](const TimelineStretch& stretch) {
        return stretch.timeline == timeline && stretch.begin <= position && position < stretch.end;
    });
}

// Where the log or the archive's backup history says that the backup ended.
std::optional<Lsn> end_of_backup(const WalArchive& archive, const RecoveryBase& base) {
    for (const WalSegment& segment : archive.segments)
        for (const BackupEnd& end : segment.scan.backup_ends)
            if (end.start == base.start) return end.end;
    for (const BackupLabel& label : archive.backups)
        if (label.start == base.start && label.start_timeline == base.timeline) return label.stop;
    return std::nullopt;
}

std::string why_unusable(const WalArchive& archive, const RecoveryBase& base, const WalPath& path) {
    if (!base.unusable.empty()) return base.unusable;
    if (base.system_identifier != 0 && base.system_identifier != archive.system_identifier)
        return fmt::format("it is of the database system {}, the log of {}", base.system_identifier,
                           archive.system_identifier);
    if (!base.consistent_at) return "nobody can say where it becomes consistent: neither its manifest nor the log does";
    if (path.end < *base.consistent_at)
        return fmt::format("it becomes consistent at {}, and the log reaches from {} only to {}: {}",
                           to_string(*base.consistent_at), to_string(base.start), to_string(path.end),
                           path.why_it_ends);
    return {};
}

Result<Reach> reach_of(const WalArchive& archive, const RecoveryBase& base, std::size_t index, std::uint32_t timeline,
                       const TransactionSource& source) {
    Reach reach{.base = index, .timeline = timeline, .path = follow(archive, timeline, base.start)};
    reach.why_not = why_unusable(archive, base, reach.path);
    if (!reach.reaches()) return reach;
    const Lsn consistent = *base.consistent_at;
    const auto during = TRY(latest_between(archive, reach.path, base.start, consistent, source));
    const auto after = TRY(latest_between(archive, reach.path, consistent, reach.path.end, source));
    // Nothing that was committed before it was consistent may be later than the moment asked for. If nothing was
    // committed meanwhile, the backup is as it was when it began.
    reach.earliest = during ? during : base.taken ? base.taken : after;
    reach.latest = std::max(reach.earliest, after);
    return reach;
}

struct Stop {
    std::optional<TransactionEnd> last, first_out;
};

// Where recovery to `moment` stops: before the first end of a transaction that is later.
Result<Stop> stop_at(const WalArchive& archive, const Reach& reach, Moment moment, const TransactionSource& source) {
    Stop stop;
    TRY(visit_path(
        archive, reach.path, reach.path.begin, reach.path.end, source,
        [&](const WalSegment& segment) {
            const TransactionSummary& summary = segment.scan.transactions;
            const bool stops_here = summary.latest->time > moment;
            // A segment in which it cannot stop only says which transaction is the last one so far.
            if (!stops_here && segment.number * archive.segment_bytes >= reach.path.begin.value)
                stop.last = summary.last;
            return stops_here;
        },
        [&](const TransactionEnd& end) {
            (end.time > moment ? stop.first_out : stop.last) = end;
            return !stop.first_out;
        }));
    return stop;
}

void take_nearest(Recovery& recovery, const Window& window, Moment moment) {
    for (const Reach& reach : window.reaches) {
        if (!reach.reaches() || !reach.earliest) continue;
        if (*reach.latest <= moment && (!recovery.before || *reach.latest > *recovery.before))
            recovery.before = reach.latest;
        if (*reach.earliest > moment && (!recovery.after || *reach.earliest < *recovery.after))
            recovery.after = reach.earliest;
    }
}

std::string why_not_possible(const Window& window, const Recovery& recovery, Moment moment, Moment now) {
    if (window.bases.empty()) return "there is no base backup";
    if (std::ranges::none_of(window.reaches, &Reach::reaches)) {
        std::string why = "no base backup can be restored";
        if (!window.reaches.empty())
            why +=
                fmt::format("; {}: {}", window.bases[window.reaches.front().base].name, window.reaches.front().why_not);
        return why;
    }
    if (moment > now) return "it has not come yet";
    if (!recovery.before) return "it is before the first base backup that can be restored was consistent";
    const auto newest = std::ranges::find_if(window.reaches, &Reach::reaches);
    if (recovery.after) return "a part of the log between two base backups is missing or damaged";
    return newest->path.damaged
               ? fmt::format("the log does not reach it: {}", newest->path.why_it_ends)
               : "nothing in the log is later: a server that is asked for it refuses at the end of the log";
}

Recovery along(const Window& window, std::size_t index, const Stop& stop, const RecoveryRates& rates) {
    const Reach& reach = window.reaches[index];
    const RecoveryBase& base = window.bases[reach.base];
    const Lsn end = stop.first_out ? stop.first_out->at : reach.path.end;
    Recovery recovery{.possible = true,
                      .reach = index,
                      .to_the_end = !stop.first_out,
                      .last = stop.last,
                      .first_out = stop.first_out,
                      .copy_bytes = base.bytes,
                      .replay_bytes = end.value - base.start.value};
    const double takes = static_cast<double>(recovery.copy_bytes) / rates.copy_bytes +
                         static_cast<double>(recovery.replay_bytes) / rates.replay_bytes;
    recovery.takes = Span(static_cast<std::int64_t>(takes * 1e6));
    recovery.says = fmt::format("from {} along timeline {}", base.name, reach.timeline);
    return recovery;
}

}  // namespace

Result<void> MemberTransactions::visit(const WalSegment& segment, const Visit& visit) const {
    EndObserver observer(archive_.major.value_or(0), visit);
    const ScanRequest request{.begin = Lsn{segment.number * archive_.segment_bytes},
                              .segment_bytes = archive_.segment_bytes,
                              .timeline = segment.timeline,
                              .history = &archive_.histories.at(segment.timeline),
                              .observer = &observer};
    const auto stream = TRY(MemberStream::open(members_[segment.member], limits_));
    TRY(scan_segment(*stream, segment.path, request, effort_));
    if (segment.crossing) visit(*segment.crossing);
    return {};
}

Result<Window> recovery_window(const WalArchive& archive, std::vector<RecoveryBase> bases,
                               const TransactionSource& transactions) {
    Window window{.bases = std::move(bases)};
    for (RecoveryBase& base : window.bases)
        if (!base.consistent_at) base.consistent_at = end_of_backup(archive, base);
    std::vector<std::size_t> newest_first(window.bases.size());
    for (std::size_t i = 0; i < newest_first.size(); ++i) newest_first[i] = i;
    std::ranges::stable_sort(newest_first, std::greater{}, [&](std::size_t i) { return window.bases[i].start; });
    for (auto history = archive.histories.rbegin(); history != archive.histories.rend(); ++history)
        for (const std::size_t i : newest_first) {
            const RecoveryBase& base = window.bases[i];
            if (!is_on(history->second, base.timeline, base.start)) continue;
            window.reaches.push_back(TRY(reach_of(archive, base, i, history->first, transactions)));
        }
    return window;
}

Result<Recovery> recovery_to(const WalArchive& archive, const Window& window, Moment moment, Moment now,
                             const TransactionSource& transactions, const RecoveryRates& rates) {
    for (std::size_t i = 0; i < window.reaches.size(); ++i) {
        const Reach& reach = window.reaches[i];
        if (!reach.reaches() || !reach.earliest || moment < *reach.earliest || moment > *reach.latest || moment > now)
            continue;
        const Stop stop = TRY(stop_at(archive, reach, moment, transactions));
        // Only the very last moment of the log needs no later record: all of the log is replayed.
        if (!stop.first_out && moment != *reach.latest) continue;
        if (stop.first_out && stop.first_out->at < *window.bases[reach.base].consistent_at) continue;
        return along(window, i, stop, rates);
    }
    Recovery recovery;
    take_nearest(recovery, window, moment);
    recovery.says = why_not_possible(window, recovery, moment, now);
    return recovery;
}

}  // namespace kedge::verify
