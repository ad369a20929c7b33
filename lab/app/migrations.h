// The versions of the lab's schema, and what moves it from one to the next: real statements, each way. A migration is
// one transaction.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "targets/postgres/connection.h"

namespace kedge::lab {

// 1: schema.sql. 2: debates have a language. 3: users have a locale.
inline constexpr int newest_schema = 3;

// What `select_version` answers; corrupt if it is not one number.
inline constexpr const char* select_version = "SELECT version FROM schema_version";
Result<int> version_of(const Rows& rows);

Result<int> schema_version(const std::string& conninfo, Moment deadline);
// refused if a column of a version is missing, or one of a later version is there.
Result<void> check_schema(const std::string& conninfo, Moment deadline);
// Up or down to `version`. What the columns hold that a step down drops is gone. refused by the server's word: a lock
// that was not had in time among them; nothing is changed then.
Result<void> move_schema(const std::string& conninfo, int version, Moment deadline);

}  // namespace kedge::lab
