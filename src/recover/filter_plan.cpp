#include "recover/filter_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/json.h"
#include "recover/erase.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr Span definitions_limit = 2min;

// Of tables only those that are no partition; a partition is named with its root.
constexpr const char* definitions_query = R"SQL(
WITH named AS (
    SELECT c.oid, c.relkind, n.nspname || '.' || c.relname AS name, coalesce(pg_partition_root(c.oid), c.oid) AS root
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')),
types AS (SELECT t.oid, CASE WHEN b.typtype = 'e' THEN 'enum ' || b.oid ELSE b.typname END AS name
    FROM pg_type t JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END)
SELECT json_build_object(
'tables', (SELECT json_agg(json_build_object('name', t.name, 'root', r.name,
    'inherits', EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relkind = 'r' AND t.oid IN (i.inhrelid, i.inhparent)))) FROM named t JOIN named r ON r.oid = t.root),
'columns', (SELECT json_agg(json_build_object('table', t.name, 'column', a.attname, 'type', y.name,
    'exact', coalesce((SELECT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation), true),
    'parts', EXISTS (SELECT FROM pg_partitioned_table p JOIN named q ON q.oid = p.partrelid AND q.root = t.oid
        WHERE 0 = ANY (p.partattrs::int2[]) OR EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = q.oid AND
            b.attname = a.attname AND b.attnum = ANY (p.partattrs::int2[])))))
    FROM named t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN types y ON y.oid = a.atttypid WHERE t.oid = t.root),
'references', (SELECT json_agg(json_build_object('name', k.conname, 'from', f.name, 'to', t.name,
    'then', k.confdeltype, 'columns', cardinality(k.conkey),
    'column', (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]),
    'to_column', (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1])))
    FROM pg_constraint k JOIN named f ON f.oid = k.conrelid JOIN named t ON t.oid = k.confrelid
    WHERE k.contype = 'f' AND k.conparentid = 0)))SQL";

struct DefinedColumn {
    std::string type;
    bool is_exact = true;    // equal texts are equal values, and the other way round
    bool is_of_key = false;  // the partition depends on it
};

struct DefinedReference {
    std::string name, from, column, to, to_column;
    char then = 'a';  // confdeltype of pg_constraint
    bool is_single = true;
};

struct DumpDefinitions {
    std::map<std::string, std::string> roots;  // of every table, the one that it is a partition of, or itself
    std::set<std::string> inheriting;
    std::map<std::pair<std::string, std::string>, DefinedColumn> columns;  // by table and column
    std::vector<DefinedReference> references;

    std::string root_of(const std::string& table) const {
        const auto root = roots.find(table);
        return root == roots.end() ? table : root->second;
    }
    const DefinedColumn* column(const std::string& table, const std::string& name) const {
        const auto found = columns.find({table, name});
        return found == columns.end() ? nullptr : &found->second;
    }
};

Result<DumpDefinitions> read_dump_definitions(const backup::PostgresServer& server, const std::stop_token& stop) {
    const Json json = TRY(parse_json(TRY(backup::ask_postgres(server, definitions_query, definitions_limit, stop))));
    const auto text = [](const Json& object, const char* key) { return get_string(object, key).value_or(""); };
    DumpDefinitions read;
    for (const Json& table : get(json, "tables")) {
        read.roots[text(table, "name")] = text(table, "root");
        if (get(table, "inherits") == true) read.inheriting.insert(text(table, "name"));
    }
    for (const Json& column : get(json, "columns"))
        read.columns[{text(column, "table"), text(column, "column")}] = {
            text(column, "type"), get(column, "exact") == true, get(column, "parts") == true};
    for (const Json& one : get(json, "references"))
        read.references.push_back({text(one, "name"), text(one, "from"), text(one, "column"), text(one, "to"),
                                   text(one, "to_column"), (text(one, "then") + "a").front(),
                                   get_integer(one, "columns") == 1});
    return read;
}

// Types whose values are equal if and only if their text is, those of one family also among each other; empty for
// others.
std::string family_of(const DefinedColumn& column) {
    if (!column.is_exact) return "";
    for (const char* integer : {"int2", "int4", "int8"})
        if (column.type == integer) return "integer";
    for (const char* words : {"text", "varchar"})
        if (column.type == words) return "text";
    for (const char* own : {"bpchar", "uuid", "name", "oid", "date"})
        if (column.type == own) return own;
    return column.type.starts_with("enum ") ? column.type : "";
}

// Why nothing can be filtered.
Error cannot(std::string why) {
    return Error{Fault::refused, std::move(why)};
}

class Planner {
public:
    Planner(const DumpDefinitions& definitions, const ErasureMap& map, const verify::TableTexts& texts)
        : definitions_(definitions), map_(map), texts_(texts) {}

    FilterPlan plan(const std::set<std::string>& subjects) {
        plan_.tables.resize(texts_.tables().size());
        FieldValues& people = plan_.sets.emplace_back();
        for (const std::string& subject : subjects) people.insert(field_of(subject));
        const Result<void> built = build();
        if (built) return std::move(plan_);
        FilterPlan nothing;
        nothing.why_not = built.error().message;
        return nothing;
    }

private:
    struct Wanted {
        std::string table, column;
        RowKey::Of of;
        auto operator<=>(const Wanted&) const = default;
    };

    Result<void> build() {
        if (texts_.has_statements()) return cannot("the dump holds rows as INSERT statements");
        if (texts_.encoding() != "UTF8" && texts_.encoding() != "SQL_ASCII")
            return cannot(fmt::format("the dump is written in {}", texts_.encoding()));
        TRY(find_lossy());
        for (const ErasedTable& table : map_.tables) TRY(add_map_rule(table));
        for (const DefinedReference& reference : definitions_.references)
            if (lossy_.contains(reference.to)) TRY(add_reference(reference));
        TRY(check_changes());
        TRY(check_order());
        return give_keys();
    }

    // Tables that lose rows: those that the map takes from, and those whose rows go with what they refer to.
    Result<void> find_lossy() {
        for (const ErasedTable& table : map_.tables)
            if (table.is_removed) lossy_.insert(table.name);
        for (bool grown = true; grown;) {
            grown = false;
            for (const DefinedReference& reference : definitions_.references)
                if (lossy_.contains(definitions_.root_of(reference.to)) && reference.then == 'c')
                    grown |= lossy_.insert(reference.from).second;
        }
        for (const DefinedReference& reference : definitions_.references) {
            if (!lossy_.contains(definitions_.root_of(reference.to))) continue;
            for (const std::string& end : {reference.from, reference.to})
                if (definitions_.root_of(end) != end)
                    return cannot(fmt::format("the partition {} has a foreign key", end));
        }
        std::set<std::string> touched = lossy_;
        for (const ErasedTable& table : map_.tables) touched.insert(table.name);
        for (const std::string& table : touched)
            if (definitions_.inheriting.contains(table))
                return cannot(fmt::format("{} is inherited or inherits", table));
        return {};
    }

    Result<void> add_map_rule(const ErasedTable& table) {
        const DefinedColumn* key = definitions_.column(table.name, table.key);
        if (key == nullptr) return cannot(fmt::format("{} has no column {}", table.name, table.key));
        const auto then = table.is_removed ? RowRule::Then::drop : RowRule::Then::change;
        if (!table.is_removed) note_changes(table);
        if (table.through.empty()) {
            const bool is_told = !family_of(*key).empty() || (key->is_exact && key->type == "numeric");
            if (!is_told) return cannot(fmt::format("{}.{} is of type {}", table.name, table.key, key->type));
            return add_rule(table.name, table.key, 0, then, {}, true);
        }
        const auto reference = std::ranges::find_if(definitions_.references, [&](const DefinedReference& one) {
            return one.is_single && one.from == table.name && one.column == table.key && one.to == table.through;
        });
        if (reference == definitions_.references.end()) return cannot(fmt::format("{} refers to nothing", table.name));
        TRY(check_types(*reference));
        after_[table.name].insert(table.through);
        return add_rule(table.name, table.key, set_of({reference->to, reference->to_column, RowKey::Of::picked}), then,
                        {}, true);
    }

    // What its rows hold that are kept: as the gate sets it (erase.h).
    void note_changes(const ErasedTable& table) {
        auto& changes = changes_[table.name];
        if (table.through.empty()) changes[table.key] = std::string(null_field);
        for (const auto& [column, value] : table.set)
            changes[column] = value ? field_of(*value) : std::string(null_field);
    }

    Result<void> add_reference(const DefinedReference& reference) {
        if (!reference.is_single) return cannot(fmt::format("the foreign key {} has several columns", reference.name));
        if (reference.from == reference.to) return cannot(fmt::format("{} refers to itself", reference.from));
        TRY(check_types(reference));
        if (reference.then == 'd') return cannot(fmt::format("the foreign key {} sets a default", reference.name));
        const auto then = reference.then == 'c'   ? RowRule::Then::drop
                          : reference.then == 'n' ? RowRule::Then::set_null
                                                  : RowRule::Then::refuse;
        if (then == RowRule::Then::set_null) nulled_.insert({reference.from, reference.column});
        after_[reference.from].insert(reference.to);
        return add_rule(reference.from, reference.column,
                        set_of({reference.to, reference.to_column, RowKey::Of::dropped}), then, reference.name, false);
    }

    Result<void> check_types(const DefinedReference& reference) const {
        const DefinedColumn* from = definitions_.column(reference.from, reference.column);
        const DefinedColumn* to = definitions_.column(reference.to, reference.to_column);
        const bool fits =
            from != nullptr && to != nullptr && !family_of(*from).empty() && family_of(*from) == family_of(*to);
        if (fits) return {};
        return cannot(
            fmt::format("the foreign key {} is about values that may be equal and look different", reference.name));
    }

    std::size_t set_of(const Wanted& wanted) {
        const auto [place, is_new] = sets_.try_emplace(wanted, plan_.sets.size());
        if (is_new) plan_.sets.emplace_back();
        return place->second;
    }

    // Calls `work(index, field)` for every table of texts that has rows of `table`, with where `column` is in them.
    template <class Work>
    Result<void> each(const std::string& table, const std::string& column, const Work& work) {
        for (std::size_t i = 0; i < texts_.tables().size(); ++i) {
            const verify::TableText& text = texts_.tables()[i];
            if (definitions_.root_of(text.schema + "." + text.table) != table) continue;
            const auto place = std::ranges::find(text.columns, column);
            if (place == text.columns.end())
                return cannot(fmt::format("the dump has no column {} of {}", column, table));
            work(i, static_cast<std::size_t>(place - text.columns.begin()));
        }
        return {};
    }

    bool is_padded(const std::string& table, const std::string& column) const {
        return definitions_.column(table, column)->type == "bpchar";
    }

    Result<void> add_rule(const std::string& table, const std::string& column, std::size_t set, RowRule::Then then,
                          const std::string& name, bool is_of_map) {
        return each(table, column, [&](std::size_t index, std::size_t field) {
            RowRules& rules = plan_.tables[index].rules;
            (is_of_map ? rules.map : rules.references)
                .push_back({.field = field,
                            .values = &plan_.sets[set],
                            .is_padded = is_padded(table, column),
                            .then = then,
                            .name = name});
        });
    }

    // Fields that change: where others refer to them, or a partition depends on them, more than the row would change.
    Result<void> check_changes() {
        std::set<std::pair<std::string, std::string>> changed = nulled_;
        for (const auto& [table, changes] : changes_)
            for (const auto& [column, value] : changes) {
                changed.insert({table, column});
                const std::string& text = value;
                TRY(each(table, column, [&](std::size_t index, std::size_t field) {
                    plan_.tables[index].rules.changed.emplace_back(field, text);
                }));
            }
        for (const auto& [table, column] : changed) {
            const DefinedColumn* defined = definitions_.column(table, column);
            if (defined == nullptr || defined->is_of_key)
                return cannot(fmt::format("the partition of a row of {} depends on {}", table, column));
            for (const DefinedReference& reference : definitions_.references)
                if (reference.to == table && (!reference.is_single || reference.to_column == column))
                    return cannot(fmt::format("{} refers to {}, which changes", reference.from, column));
        }
        return {};
    }

    Result<void> check_order() {
        std::set<std::string> done, entered;
        for (const auto& [table, before] : after_) TRY(enter(table, entered, done));
        for (std::size_t i = 0; i < texts_.tables().size(); ++i) {
            const auto before = after_.find(root_of_text(i));
            if (before == after_.end()) continue;
            for (std::size_t other = 0; other < texts_.tables().size(); ++other)
                if (before->second.contains(root_of_text(other))) plan_.tables[i].waits_for.push_back(other);
        }
        return {};
    }
    Result<void> enter(const std::string& table, std::set<std::string>& entered, std::set<std::string>& done) const {
        if (done.contains(table)) return {};
        if (!entered.insert(table).second) return cannot(fmt::format("{} refers to itself through others", table));
        if (const auto before = after_.find(table); before != after_.end())
            for (const std::string& one : before->second) TRY(enter(one, entered, done));
        done.insert(table);
        return {};
    }
    std::string root_of_text(std::size_t index) const {
        return definitions_.root_of(texts_.tables()[index].schema + "." + texts_.tables()[index].table);
    }

    Result<void> give_keys() {
        for (const auto& [wanted, set] : sets_) {
            const std::size_t number = set;
            const Wanted& key = wanted;
            TRY(each(key.table, key.column, [&](std::size_t index, std::size_t field) {
                plan_.tables[index].rules.keys.push_back(
                    {.field = field, .is_padded = is_padded(key.table, key.column), .of = key.of});
                plan_.tables[index].gives.push_back(number);
            }));
        }
        return {};
    }

    const DumpDefinitions& definitions_;
    const ErasureMap& map_;
    const verify::TableTexts& texts_;
    FilterPlan plan_;
    std::set<std::string> lossy_;
    std::map<std::string, std::map<std::string, std::string>> changes_;  // by table and column
    std::set<std::pair<std::string, std::string>> nulled_;
    std::map<std::string, std::set<std::string>> after_;  // a table, and those that come before it
    std::map<Wanted, std::size_t> sets_;
};

}  // namespace

Result<FilterPlan> plan_filter(const backup::PostgresServer& definitions, const ErasureMap& map,
                               const std::set<std::string>& subjects, const verify::TableTexts& texts,
                               const std::stop_token& stop) {
    TRY(check_map(definitions, map, stop));
    const DumpDefinitions read = TRY(read_dump_definitions(definitions, stop));
    return Planner(read, map, texts).plan(subjects);
}

}  // namespace kedge::recover
