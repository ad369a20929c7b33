// Puts into words what walking an append-only file shows.
#pragma once

#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/redis/aof_walk.h"

namespace kedge::verify {

inline constexpr const char* keys_are_not_counted =
    "how many keys the commands leave behind: only a server can say (--restore)";

// Whether the file is the last one that was written, which a crash may have cut.
enum class Tail { whole, may_be_cut };

// Adds facts, proofs and findings of the commands to what is known already.
void tell_aof(const AofSummary& summary, Tail tail, Examination& examination);

// A file of commands alone.
Result<Examination> examine_commands(ByteStream& stream, Tail tail, Effort& effort);

}  // namespace kedge::verify
