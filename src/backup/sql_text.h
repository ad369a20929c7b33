// Names and values as they stand in SQL, whatever they hold (PostgreSQL manual, 4.1).
#pragma once

#include <string>
#include <string_view>

namespace kedge {

std::string sql_name(std::string_view name);
// Of a table by its name as everybody writes it, "public.users": the schema ends at the first point.
std::string sql_table(std::string_view name);
std::string sql_literal(std::string_view text);

}  // namespace kedge
