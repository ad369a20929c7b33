// Which rows of a dump stay behind because they are erased people's, worked out before the first row is loaded.
//
// What the erasure map says, and what foreign keys would do once those rows are gone: rows that refer to them go, too,
// or refer to nothing, as the key says. A table waits for those that its rules ask about. Where equal values need not
// have equal text, or the order of rows would matter, nothing is filtered and the gate does all of it (gate.h).
#pragma once

#include <deque>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "base/result.h"
#include "estate/erasure_map.h"
#include "recover/row_filter.h"
#include "verify/dump/table_texts.h"

namespace kedge::recover {

struct TableFilter {
    RowRules rules;                      // empty: every row goes on
    std::vector<std::size_t> gives;      // for each of rules.keys: the set in `FilterPlan::sets` that it adds to
    std::vector<std::size_t> waits_for;  // indices in TableTexts::tables

    bool is_idle() const { return rules.map.empty() && rules.references.empty(); }
};

// Its rules point into its sets: it is moved, and never copied.
struct FilterPlan {
    FilterPlan() = default;
    FilterPlan(FilterPlan&&) = default;
    FilterPlan& operator=(FilterPlan&&) = default;

    std::string why_not;              // why nothing is filtered; empty: it is
    std::vector<TableFilter> tables;  // for each of TableTexts::tables; empty if nothing is filtered
    std::deque<FieldValues> sets;     // what the rules ask for; those that others give fill while tables are loaded
};

// `definitions` has all that the dump defines, and no row of it. refused if the map does not fit it (erase.h).
Result<FilterPlan> plan_filter(const backup::PostgresServer& definitions, const ErasureMap& map,
                               const std::set<std::string>& subjects, const verify::TableTexts& texts,
                               const std::stop_token& stop);

}  // namespace kedge::recover
