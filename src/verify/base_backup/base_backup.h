// A base backup of PostgreSQL 13 to 18, as pg_basebackup leaves it: plain or as tars, packed or not, with a manifest or
// without one.
//
// Each file is read once: for its checksum in the manifest and, from the same bytes, the checksum of every page.
// Formats: basebackup.c, backup_manifest.c, bufpage.h, pg_control.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verify/base_backup/control_file.h"
#include "verify/base_backup/manifest.h"
#include "verify/wal/backup_label.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {

struct BaseBackup {
    Examination examination;
    bool is_tar = false;
    std::optional<ControlFile> control;
    std::optional<BackupLabel> label;
    std::optional<Manifest> manifest;
    std::optional<Lsn> consistent_at;  // recovery has to reach this; nothing: not known
    std::uint64_t bytes = 0;           // of its files, unpacked
    WalArchive wal;                    // what it brings along of the log
};

// Whether these members look like a base backup: by the names that every one has.
bool is_base_backup(const std::vector<Member>& members);

// The members of a plain backup have paths relative to the data directory, those of tablespaces begin with
// `pg_tblspc/OID/`, as the manifest has them. Of a tar backup they are the tars, the manifest beside them, and nothing
// else. Reads on `effort.threads` threads; a tar is read by one.
BaseBackup examine_base_backup(const std::vector<Member>& members, const Limits& limits, Effort& effort);

}  // namespace kedge::verify
