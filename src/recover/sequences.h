// Numbers that production has given out are not given out again by a database that takes its place.
#pragma once

#include <string>
#include <vector>

#include "backup/servers.h"
#include "os/wait.h"

namespace kedge::recover {

// Where a sequence of production would stand a thousand numbers further: production may go on giving some out until it
// is stopped.
struct SequenceNumber {
    std::string sequence;  // its name as SQL: public.orders_id_seq
    std::string number;
};
// Its answer has both, a sequence a row; without those that begin anew at their end.
extern const char* const sequences_query;

// Moves the sequences of `copy` on to where `numbers` says, where they are not there yet; never back, and not beyond
// their end. In words.
Result<std::string> move_sequences_on(const backup::PostgresServer& copy, const std::string& name,
                                      const std::vector<SequenceNumber>& numbers, const Until& until);

}  // namespace kedge::recover
