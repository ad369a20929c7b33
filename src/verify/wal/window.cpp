#include "verify/wal/window.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/wal/not_possible.h"

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

// Where recovery along a path stops.
struct Stop {
    std::optional<TransactionEnd> last, first_out;
    Lsn at;
    bool to_the_end = false, inclusive = true;
};

// Walks the ends of transactions up to the first that `is_out`. Segments of which `may_stop` says no are not read
// again: they only say which transaction is the last one so far.
template <class MayStop, class IsOut>
Result<Stop> walk(const WalArchive& archive, const WalPath& path, const TransactionSource& source, MayStop may_stop,
                  IsOut is_out) {
    Stop stop{.at = path.end};
    TRY(visit_path(
        archive, path, path.begin, path.end, source,
        [&](const WalSegment& segment) {
            const bool stops_here = may_stop(segment);
            if (!stops_here && segment.number * archive.segment_bytes >= path.begin.value)
                stop.last = segment.scan.transactions.last;
            return stops_here;
        },
        [&](const TransactionEnd& end) {
            (is_out(end) ? stop.first_out : stop.last) = end;
            return !stop.first_out;
        }));
    if (stop.first_out) stop.at = stop.first_out->at;
    return stop;
}

// Before the first end of a transaction that is later.
Result<std::optional<Stop>> stop_at_moment(const WalArchive& archive, const Reach& reach, const RecoveryTarget& target,
                                           const TransactionSource& source) {
    const Moment moment = target.moment;
    if (!reach.earliest || moment < *reach.earliest || moment > *reach.latest) return std::optional<Stop>();
    const auto is_out = [&](Moment time) { return target.inclusive ? time > moment : time >= moment; };
    Stop stop = TRY(walk(
        archive, reach.path, source,
        [&](const WalSegment& segment) { return is_out(segment.scan.transactions.latest->time); },
        [&](const TransactionEnd& end) { return is_out(end.time); }));
    stop.inclusive = target.inclusive;
    stop.to_the_end = !stop.first_out;
    // Only the very last moment of the log needs no later record: all of the log is replayed.
    if (stop.to_the_end && moment != *reach.latest) return std::optional<Stop>();
    return std::optional(stop);
}

// A server that is told to include a position replays the next record if none begins there; so it is told to only if a
// transaction ends exactly there. What other records do nobody sees.
Result<std::optional<Stop>> stop_at_position(const WalArchive& archive, const Reach& reach, Lsn position,
                                             bool inclusive, const TransactionSource& source) {
    const auto last_record = archive.segments[reach.path.segments.back()].seam.last_record;
    if (position >= reach.path.end || (last_record && position > *last_record)) return std::optional<Stop>();
    Stop stop = TRY(walk(
        archive, reach.path, source,
        [&](const WalSegment& segment) { return (segment.number + 1) * archive.segment_bytes > position.value; },
        [&](const TransactionEnd& end) { return inclusive ? end.at > position : end.at >= position; }));
    stop.at = position;
    stop.inclusive = inclusive && stop.last && stop.last->at == position;
    return std::optional(stop);
}

Result<std::optional<Stop>> stop_at_transaction(const WalArchive& archive, const Reach& reach,
                                                const RecoveryTarget& target, const TransactionSource& source) {
    std::optional<TransactionEnd> found;
    Stop stop = TRY(walk(
        archive, reach.path, source, [](const WalSegment&) { return true; },
        [&](const TransactionEnd& end) {
            const bool was_found = found.has_value();
            if (!found && end.transaction == target.transaction) found = end;
            return was_found || (found && !target.inclusive);
        }));
    if (!found) return std::optional<Stop>();
    stop.at = found->at;
    stop.inclusive = target.inclusive;
    return std::optional(stop);
}

// The restore points of that name on a path.
std::vector<Lsn> restore_points(const WalArchive& archive, const WalPath& path, const std::string& name) {
    std::vector<Lsn> found;
    for (const std::size_t index : path.segments)
        for (const RestorePoint& point : archive.segments[index].scan.restore_points)
            if (point.name == name && point.at >= path.begin && point.at < path.end) found.push_back(point.at);
    return found;
}

Result<std::optional<Stop>> stop_at_restore_point(const WalArchive& archive, const Reach& reach,
                                                  const RecoveryTarget& target, const TransactionSource& source) {
    const std::vector<Lsn> points = restore_points(archive, reach.path, target.name);
    if (points.size() > 1)
        return Error{Fault::invalid_input,
                     fmt::format("there are {} restore points called {}", points.size(), target.name),
                     fmt::format("say the position instead: {} is the last of them", to_string(points.back()))};
    if (points.empty()) return std::optional<Stop>();
    auto stop = TRY(stop_at_position(archive, reach, points.front(), true, source));
    if (stop) stop->inclusive = true;
    return stop;
}

// Nothing if the path does not lead to the target, or stops before the backup is consistent.
Result<std::optional<Stop>> stop_of(const WalArchive& archive, const Window& window, const Reach& reach,
                                    const RecoveryTarget& target, const TransactionSource& source) {
    if (reach.path.segments.empty()) return std::optional<Stop>();
    const Lsn consistent = *window.bases[reach.base].consistent_at;
    const auto stop = TRY([&]() -> Result<std::optional<Stop>> {
        switch (target.kind) {
            case RecoveryTarget::Kind::moment: return stop_at_moment(archive, reach, target, source);
            case RecoveryTarget::Kind::position:
                return stop_at_position(archive, reach, target.position, target.inclusive, source);
            case RecoveryTarget::Kind::transaction: return stop_at_transaction(archive, reach, target, source);
            case RecoveryTarget::Kind::restore_point: return stop_at_restore_point(archive, reach, target, source);
            case RecoveryTarget::Kind::consistent:
                return std::optional(TRY(walk(
                    archive, reach.path, source,
                    [&](const WalSegment& segment) {
                        return (segment.number + 1) * archive.segment_bytes > consistent.value;
                    },
                    [&](const TransactionEnd& end) { return end.at >= consistent; })));
            case RecoveryTarget::Kind::latest: break;
        }
        // The end of a log that goes on behind a gap is not the latest that there was: it has to be asked for by name.
        if (reach.path.damaged) return std::optional<Stop>();
        Stop end = TRY(walk(
            archive, reach.path, source, [](const WalSegment&) { return false; },
            [](const TransactionEnd&) { return false; }));
        end.to_the_end = true;
        return std::optional(end);
    }());
    if (stop && stop->at < consistent) return std::optional<Stop>();
    return stop;
}

Recovery along(const Window& window, std::size_t index, const Stop& stop, const RecoveryRates& rates) {
    const Reach& reach = window.reaches[index];
    const RecoveryBase& base = window.bases[reach.base];
    Recovery recovery{.possible = true,
                      .reach = index,
                      .to_the_end = stop.to_the_end,
                      .inclusive = stop.inclusive,
                      .stop = stop.at,
                      .last = stop.last,
                      .first_out = stop.first_out,
                      .copy_bytes = base.bytes,
                      .replay_bytes = stop.at.value - base.start.value,
                      .rates = rates};
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

Result<Recovery> recovery_to(const WalArchive& archive, const Window& window, const RecoveryTarget& target, Moment now,
                             const TransactionSource& transactions, const RecoveryRates& rates,
                             const std::function<bool(const RecoveryBase&)>& is_usable) {
    const bool of_the_future = target.kind == RecoveryTarget::Kind::moment && target.moment > now;
    std::vector<const Reach*> choices;
    for (std::size_t i = 0; i < window.reaches.size(); ++i) {
        const Reach& reach = window.reaches[i];
        if (!reach.reaches() || !target.accepts(reach.timeline)) continue;
        if (is_usable && !is_usable(window.bases[reach.base])) continue;
        choices.push_back(&reach);
        if (of_the_future) continue;
        if (const auto stop = TRY(stop_of(archive, window, reach, target, transactions)))
            return along(window, i, *stop, rates);
    }
    return not_possible(archive, window, choices, target, now);
}

}  // namespace kedge::verify
