// What a server of our own holds after it took a backup.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "verify/restore/own_postgres.h"
#include "verify/restore/restore.h"

namespace kedge::verify {

using TableRows = std::map<std::string, std::uint64_t>;  // "public.debates" to its rows

// What psql is given to count the rows of every ordinary table that no system catalogue is, and what it then said.
extern const char* const count_queries;
TableRows parse_counts(const std::string& said);
// Both at once.
Result<TableRows> count_rows(const OwnPostgres& postgres, const std::string& database, const std::stop_token& stop);

// True if every table of the dump that was examined has as many rows as were counted in it, but for those that were
// left out; what has not is a finding. Adds the facts `restored_rows` and `restored_tables`.
bool compare_rows(const TableRows& counts, Examination& examination, const TableRows& left_out = {});

// Looks through tables and indexes with pg_amcheck. `which`: {"-d", NAME} or {"--all"}. What does not fit is a finding;
// where the program or its extension is not here, a sentence in `unproved`.
Result<void> check_tables_and_indexes(const OwnPostgres& postgres, const Arguments& which, Examination& examination,
                                      const RestoreOptions& options);

}  // namespace kedge::verify
