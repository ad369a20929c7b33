// What a replicated store has written: a log that branches wherever a copy is promoted.
//
// A branch is what PostgreSQL calls a timeline and Redis a replication id. A copy of the store is a branch and a
// position: it holds the records of that branch and of its ancestors up to there. Loss and double writing are
// counted on these records, each a range of numbered rows.
//
// Where one database of a running server is exchanged for another, the log goes on and what it holds does not: such a
// branch continues one, in position and timeline, and holds what another point holds. What is loaded from a file begins
// a history of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/lsn.h"
#include "base/time.h"

namespace kedge::sim {

enum class RecordKind : std::uint8_t {
    rows,
    heartbeat,
    canary,
    housekeeping,
    excluded,  // keys that must not come back: of people who were erased since, or that plans drop
};
// What a branch goes on to hold of what it begins with.
enum class Kept : std::uint8_t { all, without_excluded };

struct Record {
    Lsn end;  // the log stands there after it
    RecordKind kind{};
    std::int64_t first = 0, count = 0;  // rows; of a heartbeat its sequence
    Moment at{};
    bool acknowledged = false;  // its writer was told that it is kept
};

using BranchId = std::size_t;

// Where a copy stands.
struct Point {
    BranchId branch = 0;
    Lsn position;
};

class Log {
public:
    // Branch 0 begins at `start`, timeline 1.
    explicit Log(Lsn start);

    // A new branch that leaves `from` where it stands. Its timeline is later than that of `from` and than `above`.
    BranchId fork(Point from, Moment at, std::uint32_t above = 0);
    // A new branch on which `running` goes on, with what `content` holds in place of what it held.
    BranchId exchange(BranchId running, Point content, Moment at, Kept kept = Kept::all);
    // A new branch that continues none: it begins at `start` with what `content` holds.
    BranchId restore(Point content, Lsn start, Moment at, Kept kept = Kept::all);
    Lsn append(BranchId branch, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes,
               Moment at);
    void acknowledge(BranchId branch);  // its newest record

    Lsn end(BranchId branch) const { return branches_[branch].end; }
    Lsn begin(BranchId branch) const { return branches_[branch].begin; }
    std::uint32_t timeline(Point point) const { return branches_[containing(point)].timeline; }
    std::uint32_t newest_timeline() const;  // of all branches
    // The branch from which on copies of `branch` compare by position alone: it, or what exchanges made it of.
    BranchId history(BranchId branch) const;
    // How far `branch` had been written at `when`; its beginning if it was not there yet.
    Lsn position_at(BranchId branch, Moment when) const;
    // The branch, `point.branch` or one that it continues, on which the position lies.
    BranchId containing(Point point) const;
    // Whether a copy at `point` need only receive more to be one far along `branch`.
    bool leads_to(Point point, BranchId branch) const;
    // Where the way to `point` and the way to `other` part.
    Lsn fork_of(Point point, BranchId other) const;
    std::optional<Record> newest(Point point, RecordKind kind) const;

    // Calls `take(record)` for every record that a copy at `point` holds, newest branch first.
    template <class Take>
    void each(Point point, const Take& take) const {
        Kept kept = Kept::all;
        for (std::optional<Point> at = settled(point); at; at = before(*at)) {
            for (const Record& record : branches_[at->branch].records)
                if (record.end <= at->position && (kept == Kept::all || record.kind != RecordKind::excluded))
                    take(record);
            if (branches_[at->branch].kept != Kept::all) kept = Kept::without_excluded;
        }
    }
    // Calls `take(record)` for every record of the history that a copy at `point` lacks.
    template <class Take>
    void each_missing(Point point, const Take& take) const {
        std::vector<Lsn> held(branches_.size());
        for (std::optional<Point> at = settled(point); at; at = before(*at)) held[at->branch] = at->position;
        for (BranchId id = 0; id < branches_.size(); ++id)
            for (const Record& record : branches_[id].records)
                if (record.end > held[id]) take(record);
    }

private:
    struct Branch {
        std::optional<BranchId> continues;  // whose log goes on here
        std::optional<Point> holds;         // what it held when it began; where the log goes on, but for an exchange
        Lsn begin, end;
        std::uint32_t timeline = 1;
        Moment since{};
        Kept kept = Kept::all;  // of `holds`
        std::vector<Record> records;
    };
    bool is_exchange(const Branch& branch) const;
    // The same place, on the branch that it lies on or is the beginning of.
    Point settled(Point point) const;
    // What the branch of a settled point held when it began.
    std::optional<Point> before(Point point) const;

    std::vector<Branch> branches_;
};

}  // namespace kedge::sim
