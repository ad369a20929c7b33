// Joins what was read segment by segment: records that cross borders, links to the record before, gaps, forks.
#pragma once

#include "verify/wal/wal_archive.h"

namespace kedge::verify {

// Sets the seam of every segment, takes in the records that cross borders, and adds what is wrong to the findings of
// the examination. Segments are scanned; histories are known.
void join_segments(WalArchive& archive, const WalRequest& request);

// "000000010000000000000007"
std::string name_of(const WalArchive& archive, std::uint32_t timeline, std::uint64_t number);

}  // namespace kedge::verify
