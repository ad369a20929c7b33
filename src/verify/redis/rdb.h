// Examines RDB files, the snapshots of Redis: formats 1 to 12, whole or cut, in one pass over a stream.
#pragma once

#include "base/time.h"
#include "verify/bytes.h"
#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/redis/intake.h"
#include "verify/redis/rdb_summary.h"

namespace kedge::verify {

inline constexpr std::size_t rdb_magic_bytes = 9;
// Whether a file that begins so is an RDB file; wants `rdb_magic_bytes` of it.
bool looks_like_rdb(Bytes beginning);

struct RdbOptions {
    Moment now;                    // decides which keys have expired
    std::size_t biggest_max = 10;  // so many of the biggest keys are named
};

// Reads the stream to its end. Peak memory stays below 256 MiB whatever the file holds. An error means that the stream
// could not be read, or that the effort was stopped.
Result<Examination> examine_rdb(ByteStream& stream, const RdbOptions& options, Effort& effort);

// The parts, for a file in which something follows the snapshot. `walk_rdb` ends behind the checksum or at a fault;
// `tell_rdb` puts what it saw into words, beside what was found in values (`findings` of the examination).
RdbSummary walk_rdb(Intake& intake, const RdbOptions& options);
void tell_rdb(const RdbSummary& summary, Examination& examination);

}  // namespace kedge::verify
