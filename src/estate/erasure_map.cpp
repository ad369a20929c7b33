#include "estate/erasure_map.h"

#include <algorithm>

namespace kedge {

const ErasedTable* ErasureMap::table(std::string_view name) const {
    const auto found = std::ranges::find(tables, name, &ErasedTable::name);
    return found == tables.end() ? nullptr : &*found;
}

bool ErasureMap::is_not_personal(std::string_view name) const {
    return std::ranges::any_of(not_personal, [&](const auto& entry) { return entry.first == name; });
}

Shape erasure_map_shape() {
    const Shape table = shape::record(
        "a table of the erasure map",
        {required("key", shape::text(), "the column with the person's id; with `through`, the one that refers there"),
         optional("through", shape::text(), "a table of this map: rows that belong to the person's rows there"),
         defaulted("do", shape::choice({"remove", "anonymise"}), "remove",
                   "`remove` takes the rows out; `anonymise` keeps them without the person"),
         optional(
             "set", shape::map_of_texts(shape::json()),
             "with `anonymise`: what columns hold then. Without `through` the key becomes NULL if it is not here")});
    return shape::record(
        "the erasure map",
        {required("ledger", shape::text(), "the path of the erasure ledger, outside of what any restore reaches"),
         required("of", shape::name(), "the database"),
         required("tables", shape::map_of_texts(table), "tables with a person's rows, by name: `public.users`"),
         optional("not-personal", shape::map_of_texts(shape::text()),
                  "tables that look as if they were, by name, each with the reason why they are not"),
         optional("personal-columns", shape::list(shape::text()),
                  "names of columns, such as `user_id`: a table that has one and stands nowhere in the map stops a "
                  "restore, and so does one that refers to a table of the map")});
}

}  // namespace kedge
