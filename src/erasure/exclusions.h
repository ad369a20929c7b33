// What a platform answers to "who is excluded from restores", and what the ledger makes of it.
//
// The form is that of Aragora's GET /api/v2/compliance/gdpr/backup-exclusions: 200 with {"exclusions": [{"user_id",
// "reason", "added_at"}], "count": n}, oldest first, cut at the limit without a word, kept in a memory that a restart
// empties. So anything but that form is no answer, one as long as its limit is no answer either, and a shorter one than
// before erases nobody from the ledger: it is a finding.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "erasure/ledger.h"

namespace kedge {

inline constexpr int exclusions_limit_max = 500;  // more is not given, whatever is asked for

struct Exclusion {
    std::string subject, reason;
};

// `status` and `body` of the answer to a question for at most `limit`. corrupt for a body of another form; refused for
// any status but 200 and for an answer as long as the limit: nobody knows who is excluded then.
Result<std::vector<Exclusion>> read_exclusions(int status, std::string_view body, int limit);

// The entries that an answer of `source` adds: subjects that the ledger does not hold, and a finding if subjects are
// missing that it named before, unless the newest finding about that source says the same. Empty if it says nothing
// new.
std::vector<ErasureEntry> learn(const ErasureLedger& ledger, const std::vector<Exclusion>& answer,
                                const std::string& source, const std::string& who, Moment now);

}  // namespace kedge
