// global/pg_control of PostgreSQL 13 to 18, as bytes (include/catalog/pg_control.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "verify/bytes.h"

namespace kedge::verify {

inline constexpr std::size_t control_file_bytes = 8192;

struct ControlFile {
    std::uint64_t system_identifier = 0;
    std::uint32_t control_version = 0, catalog_version = 0;
    int major = 0;
    std::uint32_t state = 0;
    Moment updated;
    Lsn checkpoint, redo;
    std::uint32_t timeline = 0;
    Moment checkpoint_time;
    Lsn consistent_from;  // minRecoveryPoint: of a standby's backup, where it becomes consistent; else 0/0
    std::uint32_t page_bytes = 0, segment_pages = 0, wal_segment_bytes = 0;
    std::uint32_t data_checksum_version = 0;
    bool has_data_checksums() const { return data_checksum_version != 0; }
};

// corrupt, with what is wrong: a size, version or checksum that does not fit, bytes behind it that are not zero, a
// field that no server writes.
Result<ControlFile> read_control_file(Bytes bytes);

// "in production"
std::string_view control_state(std::uint32_t state);

}  // namespace kedge::verify
