// The names of files in an archive of the write-ahead log (PostgreSQL: access/xlog_internal.h), as the server, its
// tools and other archivers write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kedge::verify {

enum class WalFileKind {
    segment,         // complete: 24 hexadecimal digits
    partial,         // the last segment of a timeline that was left, or one that is still received
    history,         // of a timeline
    backup_history,  // of a base backup that was taken on a primary
    foreign,         // none of these: nothing that recovery would ask for
};

struct WalFileName {
    WalFileKind kind = WalFileKind::foreign;
    std::uint32_t timeline = 0;
    std::uint32_t log = 0, segment = 0;  // the second and the third eight digits
    std::string stem;                    // the name without what archivers append

    // The number of the segment, from 0 at position 0/0; nothing sensible if `fits` says no.
    std::uint64_t number(std::uint64_t segment_bytes) const {
        return std::uint64_t{log} * ((std::uint64_t{1} << 32) / segment_bytes) + segment;
    }
    bool fits(std::uint64_t segment_bytes) const { return segment < (std::uint64_t{1} << 32) / segment_bytes; }
};

// By the last part of `path`. Suffixes of compression and the digest that pgBackRest appends are left out: what a file
// holds is told by its bytes.
WalFileName parse_wal_file_name(std::string_view path);

}  // namespace kedge::verify
