// The COPY statement of a table's data and the columns it names.
//
// Format: pg_dump.c, dumpTableData and fmtCopyColumnList: `COPY name (a, "b c") FROM stdin;` with a line feed, and two
// blanks in place of an empty list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::verify {

struct CopyStatement {
    std::vector<std::string> table;         // the parts of the name, without quotes: {"public", "debates"}
    std::vector<std::string_view> columns;  // as written, quotes and all; they lie within the text that was read
};

// Nothing for text that is no such statement.
std::optional<CopyStatement> read_copy_statement(std::string_view text);

// The name that an identifier, as written, stands for.
std::string unquoted_identifier(std::string_view written);

// The identifier that `text` begins with, as written; empty if it begins with none.
std::string_view leading_identifier(std::string_view text);

}  // namespace kedge::verify
