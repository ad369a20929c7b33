#include "estate/parse_erasure.h"

#include <fmt/format.h>

namespace kedge {
namespace {

constexpr const char* section = "/erasure";

std::string erasure_text(const Json& object, std::string_view key) {
    return get_string(object, key).value_or("");
}

std::optional<std::string> value_of(const Json& value) {
    if (value.is_null()) return std::nullopt;
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> names_of(const ErasureMap& map) {
    std::vector<std::string> names;
    for (const ErasedTable& table : map.tables) names.push_back(table.name);
    return names;
}

// A table that is reached through itself would never be reached.
void check_way(const ErasureMap& map, const ErasedTable& table, const std::string& here, const Places& places,
               Mistakes& mistakes) {
    const ErasedTable* next = &table;
    for (std::size_t steps = 0; next != nullptr && !next->through.empty(); ++steps) {
        if (steps > map.tables.size()) {
            mistakes.add(places.value(below(here, "through")),
                         fmt::format("`{}` is reached through itself", table.name));
            return;
        }
        next = map.table(next->through);
    }
}

void check_table(const ErasureMap& map, const ErasedTable& table, const Places& places, Mistakes& mistakes) {
    const std::string here = below(below(section, "tables"), table.name);
    check_table_name(table.name, here, places, mistakes);
    if (map.is_not_personal(table.name))
        mistakes.add(places.key(here), fmt::format("`{}` is said not to be personal, too", table.name));
    if (table.is_removed && !table.set.empty())
        mistakes.add(places.value(below(here, "set")), "rows that are removed hold nothing",
                     "say `do: anonymise`, or leave `set` out");
    if (!table.is_removed && table.set.empty() && !table.through.empty())
        mistakes.add(places.key(here), "nothing would be changed", "say with `set` what columns hold then");
    if (!table.through.empty() && map.table(table.through) == nullptr)
        mistakes.add(places.value(below(here, "through")), fmt::format("`{}` is no table of the map", table.through),
                     suggestion(table.through, names_of(map)));
    check_way(map, table, here, places, mistakes);
}

}  // namespace

ErasureMap read_erasure_map(const Json& written, const Places& places) {
    ErasureMap map;
    if (written.is_null()) return map;
    map.ledger = erasure_text(written, "ledger");
    map.of = erasure_text(written, "of");
    for (const Json& column : get(written, "personal-columns"))
        map.personal_columns.push_back(column.get<std::string>());
    for (const auto& [table, reason] : get(written, "not-personal").items())
        map.not_personal.emplace_back(table, reason.get<std::string>());
    for (const auto& [name, table] : get(written, "tables").items()) {
        ErasedTable erased{.name = name,
                           .key = erasure_text(table, "key"),
                           .through = erasure_text(table, "through"),
                           .is_removed = erasure_text(table, "do") != "anonymise",
                           .line = places.key(below(below(section, "tables"), name)).line};
        for (const auto& [column, value] : get(table, "set").items()) erased.set.emplace_back(column, value_of(value));
        map.tables.push_back(std::move(erased));
    }
    return map;
}

void check_erasure_map(const ErasureMap& map, const Places& places, Mistakes& mistakes) {
    if (!map.ledger.starts_with('/'))
        mistakes.add(places.value(below(section, "ledger")), "the ledger is named by an absolute path");
    for (const auto& [name, reason] : map.not_personal)
        check_table_name(name, below(below(section, "not-personal"), name), places, mistakes);
    for (const ErasedTable& table : map.tables) check_table(map, table, places, mistakes);
}

void check_table_name(const std::string& name, const std::string& pointer, const Places& places, Mistakes& mistakes) {
    if (name.find('.') == std::string::npos)
        mistakes.add(places.key(pointer), "a table is named with its schema", fmt::format("`public.{}`", name));
}

}  // namespace kedge
