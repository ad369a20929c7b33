// Records of the write-ahead log (PostgreSQL: access/xlogrecord.h), versions 13 to 18.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/lsn.h"
#include "base/time.h"
#include "verify/bytes.h"

namespace kedge::verify {

inline constexpr std::size_t record_header_bytes = 24;
inline constexpr std::size_t record_crc_at = 20;
inline constexpr std::size_t wal_block_bytes = 8192;  // of the images of pages that records hold
// Enough for every fragment header of a record (33 blocks of at most 25 bytes each) and for the payload of the small
// records that are understood: what is kept of one that crosses a page.
inline constexpr std::size_t record_prefix_bytes = 1024;

// Resource managers whose records are understood (access/rmgrlist.h).
inline constexpr std::uint8_t manager_xlog = 0, manager_transaction = 1;

// A record whose checksum fits. `prefix` lives as long as the call that it is handed to.
struct WalRecordView {
    Lsn at;                   // where it begins
    Lsn end;                  // where the next one may begin
    std::uint32_t bytes = 0;  // of all of it, header included
    std::uint32_t transaction = 0;
    std::uint8_t info = 0;
    std::uint8_t manager = 0;
    Bytes prefix;  // its first bytes, from the header on: all, or `record_prefix_bytes`
};

// A block that a record touches.
struct BlockTouched {
    std::uint32_t tablespace = 0, database = 0, relation = 0;
    std::uint8_t fork = 0;  // 0 main, 1 free space map, 2 visibility map, 3 init
    std::uint32_t block = 0;
    bool restored = false;  // replay writes all of it: from an image, or by initialising it
};

// Called with each record, in order, by one thread.
class RecordObserver {
public:
    virtual ~RecordObserver() = default;
    virtual void see(const WalRecordView& record) = 0;
};

struct RecordShape {
    std::size_t main_at = 0;  // where the main data begins, from the record's first byte
    std::uint32_t main_bytes = 0;
    std::uint64_t image_bytes = 0;  // of full-page images
};
// Proves that the announced parts make up the record exactly, and hands each block to `block` if there is one.
// Nothing if they do not.
using BlockVisitor = void (*)(void* context, const BlockTouched& block);
std::optional<RecordShape> read_shape(const WalRecordView& record, int major, BlockVisitor visitor = nullptr,
                                      void* context = nullptr);

// The end of a transaction: commit or abort, prepared or not. Only these stop a recovery to a time.
struct TransactionEnd {
    Lsn at;
    Moment time;
    bool committed = false;
    std::uint32_t transaction = 0;  // of one that was prepared, the one in which it was finished, often 0
};
std::optional<TransactionEnd> transaction_end(const WalRecordView& record, const RecordShape& shape);

struct CheckpointRecord {
    Lsn redo;
    std::uint32_t timeline = 0, previous_timeline = 0;
    Moment time;
};
std::optional<CheckpointRecord> checkpoint_record(const WalRecordView& record, const RecordShape& shape);

// The start of the backup that ends here.
std::optional<Lsn> backup_end(const WalRecordView& record, const RecordShape& shape);

struct RestorePoint {
    Lsn at;
    Moment time;
    std::string name;
};
std::optional<RestorePoint> restore_point(const WalRecordView& record, const RecordShape& shape);

// The rest of the segment is void.
bool is_switch(std::uint8_t manager, std::uint8_t info);
// 0 to 21, and from version 15 on those of extensions.
bool is_manager(std::uint8_t manager, int major);

// Microseconds since 2000-01-01, as the log has them. Values beyond what a Moment holds become its first or last.
Moment moment_of_log(std::int64_t microseconds);

}  // namespace kedge::verify
