// One file of the write-ahead log, read once from front to back: every page header, every record's checksum, every
// link to the record before.
//
// A segment is read without its neighbours, so that many can be read side by side: what crosses its borders is kept
// as it is and joined later (seams.h). It is read up to the first thing that cannot be true (`stop`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/wal_history.h"
#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/unpack/member_stream.h"
#include "verify/wal/wal_page.h"
#include "verify/wal/wal_record.h"

namespace kedge::verify {

struct ScanRequest {
    Lsn begin;  // where the segment lies by its name
    std::uint64_t segment_bytes = 0;
    std::uint32_t timeline = 0;                // by its name
    const TimelineHistory* history = nullptr;  // of that timeline; nothing: not known
    std::vector<Lsn> marks;                    // positions in this segment whose `fingerprint` is wanted, ascending
    RecordObserver* observer = nullptr;        // sees every record that lies wholly in this file
};

// A part of a record that lies on one side of a segment's border.
struct RecordPart {
    Lsn at;                         // where the record begins; of a part that goes on from before: not known
    std::uint32_t bytes = 0;        // in this segment
    std::uint32_t total = 0;        // of the whole record; of a part that goes on from before: of the rest of it
    std::uint32_t crc = 0;          // a beginning: of its data, after the header. A rest: the bare state from 0
    std::vector<std::byte> prefix;  // its first bytes, at most record_prefix_bytes
    bool whole() const { return bytes == total; }
};

// Why reading ended before the end of the segment.
struct WalStop {
    Lsn at;                    // everything before it is sound
    std::uint64_t offset = 0;  // in the file
    std::string code, says;
};

enum class SegmentEnding {
    full,      // records up to the last byte
    switched,  // a switch, then zeros
    zeros,     // zeros, and nothing behind them
    stale,     // older pages: the file had another name before
    stopped,   // see `stop`
};

struct Mark {
    Lsn at;
    std::uint64_t fingerprint = 0;  // of all records of the segment before it
    bool met = false;               // a record begins exactly there
};

// What the transactions that end in it say.
struct TransactionSummary {
    std::uint64_t commits = 0, aborts = 0;
    std::optional<TransactionEnd> first, last;  // in the order of the log
    std::optional<TransactionEnd> latest;       // by time; the clock may have been set back
    std::optional<Moment> earliest;

    void add(const TransactionEnd& end);
};

struct BackupEnd {
    Lsn start;  // of the backup
    Lsn end;    // of the record that says so: the backup is consistent from here on
};

struct SegmentScan {
    std::uint64_t bytes = 0;  // of its content
    std::uint16_t magic = 0;
    std::uint64_t system_identifier = 0;

    std::optional<RecordPart> lead;  // goes on from the segment before
    std::optional<Lsn> first_record, last_record;
    Lsn first_previous;              // what the first record says of the one before it
    std::optional<RecordPart> tail;  // goes on in the segment behind
    bool overwritten = false;        // the record that the segment before began was never finished: it is void

    SegmentEnding ending = SegmentEnding::full;
    Lsn end;  // everything before it is sound: the end of its last record, or of the segment
    std::optional<WalStop> stop;

    std::uint64_t records = 0, record_bytes = 0, image_bytes = 0;
    std::uint64_t fingerprint = 0;  // of all its records
    std::vector<Mark> marks;
    TransactionSummary transactions;
    std::uint64_t checkpoints = 0;
    std::optional<CheckpointRecord> last_checkpoint;
    std::vector<RestorePoint> restore_points;  // the first `kept_max`
    std::vector<BackupEnd> backup_ends;        // the first `kept_max`
    static constexpr std::size_t kept_max = 1000;

    Findings findings;  // what is wrong but does not end the reading

    std::optional<int> major() const { return major_of_magic(magic); }
    // Takes in a record that was joined at the border behind.
    void count(const WalRecordView& record, Findings& into, const std::string& where, std::uint64_t offset);
};

// `where` names the file in findings. An error means that the bytes could not be read; bytes that do not unpack are a
// stop.
Result<SegmentScan> scan_segment(MemberStream& content, const std::string& where, const ScanRequest& request,
                                 Effort& effort);

}  // namespace kedge::verify
