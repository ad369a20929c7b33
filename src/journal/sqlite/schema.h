// The tables of journal.db, version 1 (docs/formats/journal.md), and what is refused in place of them.
#pragma once

#include "base/result.h"
#include "journal/sqlite/connection.h"

namespace kedge {

inline constexpr int journal_application_id = 0x4b656467;  // "Kedg", in bytes 68 to 71 of the file
inline constexpr int journal_schema_version = 1;

// Makes the tables in a file that is empty, in WAL mode, or checks those that are there.
Result<void> make_or_check_schema(SqliteConnection& db);
// not_found for a file that is still empty, invalid_input for a database that is no journal, refused for one
// that a newer kedge wrote.
Result<void> check_schema(SqliteConnection& db);

}  // namespace kedge
