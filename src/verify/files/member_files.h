// The files below a directory as members of a backup.
#pragma once

#include <string>
#include <vector>

#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

// All regular files below `directory`, by their paths relative to it, sorted. Symbolic links are followed only where a
// base backup has them: pg_wal, and the tablespaces below pg_tblspc. What they read is counted in `effort`, which
// outlives them. not_found or not_allowed for the directory; refused if there are more than `count_max` files.
Result<std::vector<Member>> members_below(const std::string& directory, std::size_t count_max, Effort& effort);

// One file. Nothing is opened yet.
Member file_member(std::string path, std::uint64_t bytes, std::string name, Effort& effort);

}  // namespace kedge::verify
