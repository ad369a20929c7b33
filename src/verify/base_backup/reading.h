// Reads all files of a base backup, plain or out of its tars.
#pragma once

#include <string>
#include <vector>

#include "verify/base_backup/file_check.h"
#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

struct ReadBackup {
    bool is_tar = false;
    std::vector<CheckedFile> files;  // by path; segments of the log are not among them
    std::vector<Member> wal;         // members below pg_wal, by their names there; valid as long as the members read
    std::vector<std::string> links;  // from tars: `pg_tblspc/OID`
    std::uint64_t bytes = 0;         // of all files, unpacked
    Findings findings;               // what could not be read, and what is wrong with tars
};

// `manifest` and `limits` outlive what is returned.
ReadBackup read_backup(const std::vector<Member>& members, const Manifest* manifest, std::uint32_t segment_pages,
                       const Limits& limits, Effort& effort);

// The log that the backup brings along, by its names there: below pg_wal, or in pg_wal.tar. Log that lies in base.tar
// (fetched, not streamed) is not among it. What cannot be read is left out.
std::vector<Member> wal_members(const std::vector<Member>& members, const Limits& limits);

// Whether these are the tars of a backup, and not its files.
bool is_tar_backup(const std::vector<Member>& members);

// Of a tar of a base backup, where its members lie below the data directory: "" for base.tar, "pg_tblspc/16384/",
// "pg_wal/". Nothing for a name that is none of these.
std::optional<std::string> prefix_of_tar(std::string_view path);

}  // namespace kedge::verify
