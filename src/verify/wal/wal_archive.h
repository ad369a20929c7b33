// An archive of the write-ahead log: which segments there are, how they hang together, what of it can be replayed.
//
// Formats and rules: PostgreSQL 13 to 18, transam/timeline.c, xlogarchive.c, xlogreader.c.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/wal_history.h"
#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/member.h"
#include "verify/wal/backup_label.h"
#include "verify/wal/segment_scan.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::verify {

// A record that goes on in the segment behind.
struct OpenRecord {
    RecordPart part;
    std::size_t segment = 0;  // index of the one that it begins in
    Lsn previous;             // where the record before it begins; 0/0: not known
};

// How a segment hangs on the one before it on its path.
struct Seam {
    enum class Kind {
        none,    // there is none before it: its path begins here
        sound,   // the records go on without a break
        broken,  // both are there and do not fit, or the one before ends early
        gap,     // segments between are missing
    };
    Kind kind = Kind::none;
    std::size_t before = 0;          // index of the segment before it; for a gap, of the last one that there is
    std::optional<OpenRecord> open;  // what goes on behind this segment
    std::optional<Lsn> last_record;  // the last one that began up to the end of this segment
    bool followed = false;           // some segment hangs on this one
};

struct WalSegment {
    std::size_t member = 0;
    std::string path;
    std::uint32_t timeline = 0;
    std::uint64_t number = 0;  // its position is that times the size of a segment
    SegmentScan scan;
    Seam seam;
    bool tail_counted = false;               // the record that crosses its end is in its counts
    std::optional<TransactionEnd> crossing;  // what that record ends, if it ends a transaction
};

struct WalRequest {
    // Whose log it must be, where that is known from elsewhere.
    std::optional<std::uint64_t> system_identifier;
    // The last segment may end in zeros without a word: the log of a base backup does, an archived one should not.
    bool may_end_open = false;
    // Sees every sound record, from several threads at once, in order only within a segment.
    RecordObserver* observer = nullptr;
};

struct WalArchive {
    std::uint64_t segment_bytes = 0;  // 0: no segment could be read, and there are none below
    std::uint64_t system_identifier = 0;
    std::optional<int> major;
    std::vector<WalSegment> segments;  // complete ones, by number, then timeline
    std::vector<WalSegment> partials;  // recovery never asks for them
    // Of every timeline that has a segment or a history file. One without a history file seems to have no parents.
    std::map<std::uint32_t, TimelineHistory> histories;
    std::vector<BackupLabel> backups;  // from their history files, in the order of their names
    Examination examination;

    // The index of the segment that recovery along `history` takes for `number`; nothing if there is none.
    std::optional<std::size_t> segment_for(const TimelineHistory& history, std::uint64_t number) const;
};

// Reads all members, on `effort.threads` threads.
WalArchive examine_wal(const std::vector<Member>& members, const Limits& limits, Effort& effort,
                       const WalRequest& request = {});

// The log as recovery would read it towards one timeline.
struct WalPath {
    std::uint32_t timeline = 0;
    Lsn begin, end;  // every record that begins in between is there and sound
    std::vector<std::size_t> segments;
    std::string why_it_ends;  // one clause
    bool damaged = false;     // it ends at damage or at a gap, not where the log was not written further
};
// From `begin` on, towards `timeline`; empty (end == begin) if not even the segment of `begin` is there.
WalPath follow(const WalArchive& archive, std::uint32_t timeline, Lsn begin);

}  // namespace kedge::verify
