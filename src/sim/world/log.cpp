#include "sim/world/log.h"

#include <algorithm>

#include "base/check.h"

namespace kedge::sim {

Log::Log(Lsn start) {
    branches_.push_back({.begin = start, .end = start});
}

BranchId Log::fork(Point from, Moment at, std::uint32_t above) {
    const BranchId parent = containing(from);
    branches_.push_back({.continues = parent,
                         .holds = Point{parent, from.position},
                         .begin = from.position,
                         .end = from.position,
                         .timeline = std::max(branches_[parent].timeline, above) + 1,
                         .since = at});
    return branches_.size() - 1;
}

BranchId Log::exchange(BranchId running, Point content, Moment at, Kept kept) {
    const Lsn end = branches_[running].end;
    branches_.push_back({.continues = running,
                         .holds = settled(content),
                         .begin = end,
                         .end = end,
                         .timeline = branches_[running].timeline,
                         .since = at,
                         .kept = kept});
    return branches_.size() - 1;
}

BranchId Log::restore(Point content, Lsn start, Moment at, Kept kept) {
    branches_.push_back({.holds = settled(content),
                         .begin = start,
                         .end = start,
                         .timeline = newest_timeline() + 1,
                         .since = at,
                         .kept = kept});
    return branches_.size() - 1;
}

BranchId Log::history(BranchId branch) const {
    while (branches_[branch].continues &&
           branches_[branch].timeline == branches_[*branches_[branch].continues].timeline)
        branch = *branches_[branch].continues;
    return branch;
}

bool Log::is_exchange(const Branch& branch) const {
    return branch.continues && (branch.holds->branch != *branch.continues || branch.holds->position != branch.begin);
}

Point Log::settled(Point point) const {
    while (branches_[point.branch].continues && point.position < branches_[point.branch].begin)
        point.branch = *branches_[point.branch].continues;
    return point;
}

std::optional<Point> Log::before(Point point) const {
    const std::optional<Point>& holds = branches_[point.branch].holds;
    return holds ? std::optional(settled(*holds)) : std::nullopt;
}

std::uint32_t Log::newest_timeline() const {
    return std::ranges::max(branches_, {}, &Branch::timeline).timeline;
}

Lsn Log::append(BranchId branch, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes,
                Moment at) {
    Branch& own = branches_[branch];
    own.end.value += bytes;
    own.records.push_back({.end = own.end, .kind = kind, .first = first, .count = count, .at = at});
    return own.end;
}

void Log::acknowledge(BranchId branch) {
    check(!branches_[branch].records.empty(), "what is acknowledged was written");
    branches_[branch].records.back().acknowledged = true;
}

Lsn Log::position_at(BranchId branch, Moment when) const {
    const Branch& own = branches_[branch];
    for (auto record = own.records.rbegin(); record != own.records.rend(); ++record)
        if (record->at <= when) return record->end;
    return own.begin;
}

BranchId Log::containing(Point point) const {
    BranchId at = point.branch;
    while (branches_[at].continues &&
           (is_exchange(branches_[at]) ? point.position < branches_[at].begin : point.position <= branches_[at].begin))
        at = *branches_[at].continues;
    return at;
}

bool Log::leads_to(Point point, BranchId branch) const {
    const BranchId lies_on = containing(point);
    Lsn limit = branches_[branch].end;
    for (std::optional<BranchId> at = branch; at; at = branches_[*at].continues) {
        if (*at == lies_on) return point.position <= limit;
        limit = std::min(limit, branches_[*at].begin);
    }
    return false;
}

Lsn Log::fork_of(Point point, BranchId other) const {
    std::vector<Lsn> held(branches_.size());
    Lsn limit = branches_[other].end;
    for (std::optional<BranchId> at = other; at; at = branches_[*at].continues) {
        held[*at] = limit;
        limit = std::min(limit, branches_[*at].begin);
    }
    for (std::optional<BranchId> at = point.branch; at; at = branches_[*at].continues) {
        if (held[*at].value > 0) return std::min(held[*at], point.position);
        point.position = std::min(point.position, branches_[*at].begin);
    }
    return branches_.front().begin;
}

std::optional<Record> Log::newest(Point point, RecordKind kind) const {
    for (std::optional<Point> at = settled(point); at; at = before(*at)) {
        const std::vector<Record>& records = branches_[at->branch].records;
        for (auto record = records.rbegin(); record != records.rend(); ++record)
            if (record->kind == kind && record->end <= at->position) return *record;
    }
    return std::nullopt;
}

}  // namespace kedge::sim
