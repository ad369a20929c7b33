// A file of a backup, wherever it lies: in a directory, in a tar, in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "verify/bytes.h"

namespace kedge::verify {

struct Member {
    std::string path;         // relative to the backup, as it is named there; never used to open anything
    std::uint64_t bytes = 0;  // as stored
    // Opens its bytes from the front. May be called by several threads, each for a stream of its own.
    std::function<Result<std::unique_ptr<ByteStream>>()> open;
    std::string file{};  // the absolute path of the file that is exactly it; empty: it lies in something else
};

// The member whose bytes are `bytes`, which outlive it.
Member memory_member(std::string path, Bytes bytes);

}  // namespace kedge::verify
