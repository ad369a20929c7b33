// Numbers that production has given out are not given out again by a database that takes its place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "os/wait.h"

namespace kedge::recover {

// Where a sequence of production would stand some numbers further: production may go on giving some out until it is
// stopped.
struct SequenceNumber {
    std::string sequence;  // its name as SQL: public.orders_id_seq
    std::string number;
};
// Its answer has both, a sequence a row; without those that begin anew at their end. `further` is how many numbers, at
// most a thousandth of those that a sequence has left where that is more than a thousand.
std::string sequences_query(std::int64_t further);

// Moves the sequences of `copy` on to where `numbers` says, where they are not there yet; never back, and not beyond
// their end. In words.
Result<std::string> move_sequences_on(const backup::PostgresServer& copy, const std::string& name,
                                      const std::vector<SequenceNumber>& numbers, const Until& until);

}  // namespace kedge::recover
