// Reads the whole of journal.db and says whether everything in it can be true.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "journal/sqlite/connection.h"

namespace kedge {

// In one snapshot, with memory that does not grow with the journal: SQLite's own check of its pages, the chain
// of digests, and the bookkeeping beside the chain (the last entry of each run, which shows a tail that was cut
// off; held targets; requests). The number of entries, or corrupt with the first thing that is wrong.
Result<std::uint64_t> verify_store(SqliteConnection& db);

}  // namespace kedge
