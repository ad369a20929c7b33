// A shape as the tables of the documentation, in Markdown: one table a record, each field with its kind,
// whether it must be there, and what it means.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "document/shape.h"

namespace kedge {

std::string field_tables(const Shape& shape);

// Between these lines of a document stand generated tables; the rest is written by people.
inline constexpr std::string_view tables_begin = "<!-- generated from the parser: begin -->\n";
inline constexpr std::string_view tables_end = "<!-- generated from the parser: end -->\n";
// The document with the part between the two lines replaced; invalid_input if they are not there.
Result<std::string> with_tables(std::string_view document, std::string_view tables);

}  // namespace kedge
