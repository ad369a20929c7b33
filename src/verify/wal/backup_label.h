// What PostgreSQL writes beside a base backup: `backup_label` in it, the backup history file in the archive, and
// `tablespace_map` in its tar form (access/transam/xlogbackup.c, xlog.c; versions 13 to 18).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"

namespace kedge::verify {

struct BackupLabel {
    Lsn start;                  // recovery begins here
    std::string start_segment;  // the file of the log that this is in, as the server names it; empty: it was not said
    Lsn checkpoint;             // where the record of the start checkpoint is
    std::string method, from;
    std::string start_time, label;  // as written, in the server's time zone
    std::uint32_t start_timeline = 1;
    std::optional<Lsn> stop;  // only in a backup history file
    std::string stop_time;
    std::optional<std::uint32_t> stop_timeline;
    std::optional<Lsn> incremental_from;  // an incremental backup: where the one before it started
    std::optional<std::uint32_t> incremental_from_timeline;

    bool from_standby() const { return from == "standby"; }
};

inline constexpr std::size_t backup_label_bytes_max = 65536;

// corrupt, with the line, if a line is none of these, twice there, or one that is needed is missing.
Result<BackupLabel> parse_backup_label(std::string_view text);

struct MappedTablespace {
    std::uint32_t oid = 0;
    std::string path;
};
Result<std::vector<MappedTablespace>> parse_tablespace_map(std::string_view text);

}  // namespace kedge::verify
