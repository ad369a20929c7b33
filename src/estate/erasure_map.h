// What becomes of an erased person's rows when a database is brought back from a backup. A section of the estate
// (estate.h); plain data.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "document/shape.h"

namespace kedge {

struct ErasedTable {
    std::string name;        // "public.debates"
    std::string key;         // the column that holds the person's id, or that refers to a row of `through`
    std::string through;     // a table of the map: its rows that are the person's; empty: `key` is the person's id
    bool is_removed = true;  // the rows go; else they are kept, and `set` says what they hold then
    std::vector<std::pair<std::string, std::optional<std::string>>> set;  // column and value; nothing = NULL
    int line = 0;                                                         // in the file
};

struct ErasureMap {
    std::string ledger;  // the path of the ledger, where no restore reaches
    std::string of;      // the database
    std::vector<ErasedTable> tables;
    std::vector<std::pair<std::string, std::string>> not_personal;  // table and reason
    std::vector<std::string> personal_columns;  // names by which a table shows that it holds a person's data

    bool is_declared() const { return !ledger.empty(); }
    const ErasedTable* table(std::string_view name) const;  // null if the map does not name it
    bool is_not_personal(std::string_view name) const;
};

// "the erasure map"
Shape erasure_map_shape();

}  // namespace kedge
