// How tables that live no longer has are made again: by what pg_dump says of them in the recovered database.
#pragma once

#include <string>
#include <vector>

#include "recover/extract_live.h"
#include "recover/extract_source.h"

namespace kedge::recover {

struct Definitions {
    std::string before_rows;  // the tables, their sequences, defaults and privileges
    std::string after_rows;   // their indexes, constraints, foreign keys, triggers and policies
};

// Of `tables`, their partitions among them. unavailable with pg_dump's words.
Result<Definitions> read_definitions(const backup::PostgresServer& recovered, ExtractSource& source,
                                     const std::vector<std::string>& tables, const Until& until);

// Makes the foreign keys of live's tables that pointed to `tables`, all made again, and says which.
Result<std::vector<std::string>> point_to_again(const Catalogue& recovered, ExtractLive& live,
                                                const std::vector<std::string>& tables);

// What went with `tables` and does not come back with them: views that are not there, and publications.
Result<std::vector<std::string>> not_made_again(ExtractSource& source, ExtractLive& live,
                                                const std::vector<std::string>& tables);

// The SQL of a dump in plain text without its preamble and its last words: those set limits of time and encodings that
// are ours to choose, and hold commands of psql.
std::string sql_of_dump(const std::string& dump);

}  // namespace kedge::recover
