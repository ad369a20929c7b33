// A base backup in tars, written out as a data directory.
//
// No name that stands in an archive opens anything by itself: each is cut into its parts, each part is checked, and the
// file is made through descriptors of directories that were made here, without following a link. No link of an archive
// is made; a tablespace becomes a directory.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

// What has to be known before anything is written.
struct TarSurvey {
    std::string version;      // what its PG_VERSION says
    std::uint64_t bytes = 0;  // that its files need on a disk
};

// Reads all `tars` (those of `members` that are tars of a base backup; the others are passed over), packed or not.
// corrupt if one is broken, holds what is no file, link or directory, or has a name that leads out of it.
Result<TarSurvey> survey_tars(const std::vector<Member>& members, const Limits& limits, const std::stop_token& stop);

// Writes them below `directory`, which is there and empty, and may not need more than `bytes_max`. Errors as above, and
// those of the disk.
Result<void> unpack_tars(const std::vector<Member>& members, const std::string& directory, std::uint64_t bytes_max,
                         const Limits& limits, const std::stop_token& stop);

// Writes the rest of the stream as a new file: `name`, without a slash, in the directory behind the descriptor.
Result<void> write_file_from(ByteStream& stream, int directory, const std::string& name, const std::stop_token& stop);

}  // namespace kedge::verify
