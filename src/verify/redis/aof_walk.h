// Walks the commands of an append-only file: arrays of bulk strings (RESP), and annotations, lines that begin with #.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "verify/redis/intake.h"
#include "verify/redis/rdb_summary.h"

namespace kedge::verify {

struct AofSummary {
    std::uint64_t commands = 0;
    std::map<std::string, std::uint64_t> by_name;   // upper case; the first few hundred names
    std::optional<Moment> first_time, last_time;    // of annotations with a time
    std::uint64_t begin = 0, end = 0;               // within the stream; `end` is behind the last whole command
    std::optional<std::uint64_t> open_transaction;  // where a MULTI begins that no EXEC ends
    std::optional<WalkFault> fault;                 // ended or wrong
};

// From where the intake stands to the end of the stream, or to a fault.
AofSummary walk_aof(Intake& intake);

}  // namespace kedge::verify
