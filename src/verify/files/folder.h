// What lies in a directory: names and sizes, nothing opened.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

struct Folder {
    std::string path;
    std::vector<Member> files;          // directly in it, by name
    std::vector<std::string> folders;   // directly in it, by name
    std::vector<std::string> left_out;  // links that lead out of `root`, devices, sockets: by name
};

// One directory. Links are followed only where they lead to something below `root` (absolute, without links).
// not_found, not_allowed; refused for more than `entries_max` entries. What its files read is counted in `effort`,
// which outlives them.
Result<Folder> read_folder(const std::string& path, const std::string& root, std::size_t entries_max, Effort& effort);

}  // namespace kedge::verify
