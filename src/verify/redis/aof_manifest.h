// The manifest of an append-only directory (redis/src/aof.c, since 7.0): a line for each file,
//
//     file appendonly.aof.1.base.rdb seq 1 type b
//
// of type b (the base, at most one), i (increments, in order) or h (history, which a server removes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "verify/bytes.h"

namespace kedge::verify {

inline constexpr std::size_t aof_manifest_bytes_max = std::size_t{1} << 20;

struct AofFile {
    enum class Type { base, increment, history };

    std::string name;  // of a file beside the manifest; never used to open anything else
    std::uint64_t number = 0;
    Type type{};
};

bool looks_like_aof_manifest(Bytes beginning);

// corrupt, with the line, for anything that a server would not take.
Result<std::vector<AofFile>> read_aof_manifest(std::string_view text);

}  // namespace kedge::verify
