// A database as a company has one, for benchmarks: users, long transcripts, an audit log, receipts with digests,
// knowledge with numbers. Pseudo-English with the word frequencies of a language, so that it packs about as real text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "targets/postgres/scratch_cluster.h"

namespace kedge::verify {

// The path of a program of the server's version.
inline std::string tool(const char* program) {
    return std::string(scratch_bin_directory) + "/" + program;
}

// Makes the tables in database `postgres` of `server` and fills them with about `bytes` of COPY text. The same for the
// same `bytes`.
void make_company(const ScratchDirectory& directory, const ScratchServer& server, std::uint64_t bytes);

}  // namespace kedge::verify
