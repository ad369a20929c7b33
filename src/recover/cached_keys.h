// Keys that must not come back, in a Redis data set that was recovered and that nobody else reaches yet.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "erasure/ledger.h"
#include "estate/estate.h"
#include "recover/erase.h"

namespace kedge::recover {

// Keys of a cache that are a person's, as the estate's `personal-keys` say: by their name, or by what they hold.
struct PersonalKeys {
    std::string match;  // "profile:${person}", or the keys that are looked into
    std::string holds;  // of those, where in the JSON the person's id stands: "/user_id"
};
// Nothing if the estate does not say.
std::optional<std::vector<PersonalKeys>> personal_keys_of(const Target& cache);

// The numbers of the databases that a snapshot's facts, or the proof of what was recovered from it, name.
std::vector<std::string> databases_in(const Json& facts);

// Every key that a pattern names (as KEYS takes it) is gone from all of `databases`, and was looked for again: how many
// there were, by pattern.
Result<std::map<std::string, std::uint64_t>> drop_keys(const std::string& directory,
                                                       const std::vector<std::string>& databases,
                                                       const std::vector<std::string>& patterns,
                                                       const std::stop_token& stop);

// The keys of everybody whom the ledger erases are gone, as the rules of `cache` find them; `rows` has how many, by
// rule. refused: a finding of the ledger is open, the estate says nothing of the cache's keys although somebody is
// erased, or a key that a rule is about holds nothing that could be read.
Result<Erased> erase_keys(const std::string& directory, const std::vector<std::string>& databases, const Target& cache,
                          const ErasureLedger& ledger, const std::stop_token& stop);

}  // namespace kedge::recover
