// What lies in a directory: names and sizes, nothing opened.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/member.h"

namespace kedge::verify {

struct Folder {
    std::string path;
    std::vector<Member> files;          // directly in it, by name
    std::vector<std::string> folders;   // directly in it, by name
    std::vector<std::string> left_out;  // links that lead out of `root`, devices, sockets: by name
};

// One directory. Links are followed only where they lead to something below `root` (absolute, without links).
// not_found, not_allowed; refused for more than `entries_max` entries.
Result<Folder> read_folder(const std::string& path, const std::string& root, std::size_t entries_max);

// All files below it, by their path relative to it, in order; directories at most `depth_max` deep. The links of a
// base backup's tablespaces are followed wherever they lead if `tablespaces` says so.
struct Tree {
    std::vector<Member> files;
    std::uint64_t bytes = 0;
    std::vector<std::string> left_out;
};
Result<Tree> read_tree(const std::string& path, const std::string& root, std::size_t entries_max,
                       std::size_t depth_max);

}  // namespace kedge::verify
