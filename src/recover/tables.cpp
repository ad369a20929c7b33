#include "recover/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include "backup/sql_text.h"

namespace kedge::recover {
namespace {

// Equality as the index that keeps the key unique sees it: the operator of its family for "equal" (strategy 3 of a
// b-tree; PostgreSQL manual, 38.16.2). Its catalogue tables: chapter 53.
constexpr const char* tables_sql = R"(
SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', format('%I.%I', n.nspname, c.relname), 'schema', n.nspname, 'plain', c.relname,
    'partitioned', c.relkind = 'p', 'unlogged', c.relpersistence = 'u',
    'rules', EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1'
                           AND w.ev_enabled <> 'D'),
    'columns', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.attname,
                          'type', format_type(a.atttypid, a.atttypmod), 'generated', a.attgenerated <> '',
                          'always', a.attidentity = 'a') ORDER BY a.attnum), '[]')
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'key', (SELECT jsonb_agg(jsonb_build_object('left', a.attname, 'right', a.attname,
                          'is', format('OPERATOR(%I.%s)', s.nspname, o.oprname)) ORDER BY k.place)
            FROM (SELECT * FROM pg_index i
                  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                    AND i.indpred IS NULL AND i.indexprs IS NULL
                    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attnotnull
                                    AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
                  ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) i,
                 LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1], (i.indclass::oid[])[0:i.indnkeyatts - 1])
                     WITH ORDINALITY AS k(attribute, class, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
            JOIN pg_opclass p ON p.oid = k.class
            JOIN pg_amop m ON m.amopfamily = p.opcfamily AND m.amopstrategy = 3
                          AND m.amoplefttype = p.opcintype AND m.amoprighttype = p.opcintype
            JOIN pg_operator o ON o.oid = m.amopopr JOIN pg_namespace s ON s.oid = o.oprnamespace))), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";

constexpr const char* foreign_keys_sql = R"(
SELECT coalesce(jsonb_agg(jsonb_build_object('name', c.conname, 'child', c.conrelid::regclass,
    'parent', c.confrelid::regclass, 'definition', pg_get_constraintdef(c.oid), 'deferrable', c.condeferrable,
    'columns', (SELECT jsonb_agg(jsonb_build_object('left', p.attname, 'right', f.attname,
                          'is', format('OPERATOR(%I.%s)', s.nspname, o.oprname)) ORDER BY k.place)
                FROM unnest(c.confkey, c.conkey, c.conpfeqop) WITH ORDINALITY AS k(parent, child, operator, place)
                JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = k.parent
                JOIN pg_attribute f ON f.attrelid = c.conrelid AND f.attnum = k.child
                JOIN pg_operator o ON o.oid = k.operator JOIN pg_namespace s ON s.oid = o.oprnamespace))
    ORDER BY c.conname, c.oid), '[]')
FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0)";

constexpr const char* sequences_sql = R"(
SELECT coalesce(jsonb_agg(jsonb_build_object('name', q.seqrelid::regclass, 'table', d.refobjid::regclass,
    'column', a.attname, 'increment', q.seqincrement, 'start', q.seqstart, 'cache', q.seqcache,
    'last', pg_sequence_last_value(q.seqrelid)) ORDER BY c.relname, c.oid), '[]')
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname !~ '^pg_' AND c.relpersistence = 'p')";

std::string text(const Json& object, const char* key) {
    return get_string(object, key).value_or("");
}

bool yes(const Json& object, const char* key) {
    return get_bool(object, key).value_or(false);
}

std::vector<Equality> read_equalities(const Json& items) {
    std::vector<Equality> columns;
    for (const Json& item : items) columns.push_back({text(item, "left"), text(item, "right"), text(item, "is")});
    return columns;
}

Table read_table(const Json& item) {
    Table table{.name = text(item, "name"),
                .schema = text(item, "schema"),
                .plain_name = text(item, "plain"),
                .partitioned = yes(item, "partitioned"),
                .unlogged = yes(item, "unlogged"),
                .has_rules = yes(item, "rules"),
                .columns = {},
                .key = read_equalities(get(item, "key"))};
    for (const Json& column : get(item, "columns"))
        table.columns.push_back(
            {text(column, "name"), text(column, "type"), yes(column, "generated"), yes(column, "always")});
    return table;
}

ForeignKey read_foreign_key(const Json& item) {
    return {.name = text(item, "name"),
            .child = text(item, "child"),
            .parent = text(item, "parent"),
            .definition = text(item, "definition"),
            .deferrable = yes(item, "deferrable"),
            .columns = read_equalities(get(item, "columns"))};
}

Sequence read_sequence(const Json& item) {
    return {.name = text(item, "name"),
            .table = text(item, "table"),
            .column = text(item, "column"),
            .increment = get_integer(item, "increment").value_or(1),
            .start = get_integer(item, "start").value_or(1),
            .cache = get_integer(item, "cache").value_or(1),
            .last = get_integer(item, "last")};
}

template <class Items, class Write>
std::string joined(const Items& items, const std::string& between, const Write& write) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : between) + write(item);
    return out;
}

}  // namespace

const Column* Table::column(const std::string& wanted) const {
    const auto found = std::ranges::find(columns, wanted, &Column::name);
    return found == columns.end() ? nullptr : &*found;
}

const Table* Catalogue::table(const std::string& name) const {
    const auto found = tables.find(name);
    return found == tables.end() ? nullptr : &found->second;
}

std::vector<const Table*> Catalogue::meant_by(const std::string& written) const {
    if (const Table* exact = table(written)) return {exact};
    std::vector<const Table*> meant;
    for (const auto& [name, table] : tables)
        if (written == table.schema + "." + table.plain_name || written == table.plain_name ||
            name.ends_with("." + written))
            meant.push_back(&table);
    return meant;
}

Result<Catalogue> read_catalogue(SqlSession& session) {
    Catalogue catalogue;
    for (const Json& item : TRY(session.ask_json(tables_sql))) {
        Table table = read_table(item);
        catalogue.tables.emplace(table.name, std::move(table));
    }
    for (const Json& item : TRY(session.ask_json(foreign_keys_sql)))
        catalogue.foreign_keys.push_back(read_foreign_key(item));
    for (const Json& item : TRY(session.ask_json(sequences_sql))) catalogue.sequences.push_back(read_sequence(item));
    return catalogue;
}

Result<std::string> table_meant(const std::string& written, const Catalogue& first, const Catalogue& second) {
    for (const Catalogue* catalogue : {&first, &second}) {
        const auto meant = catalogue->meant_by(written);
        if (meant.size() == 1) return meant.front()->name;
        if (meant.size() > 1)
            return Error{Fault::invalid_input, fmt::format("`{}` may be several tables", written),
                         "name one of " +
                             joined(meant, ", ", [](const Table* table) { return fmt::format("`{}`", table->name); })};
    }
    return Error{Fault::not_found, fmt::format("there is no table `{}`", written),
                 "name it with its schema; a partition is part of its table, a view holds no rows"};
}

std::string column_list(const std::vector<Column>& columns, const std::string& of) {
    return joined(columns, ", ", [&](const Column& column) { return of + column.sql(); });
}

std::string key_list(const std::vector<Equality>& key, const std::string& of) {
    return joined(key, ", ", [&](const Equality& column) { return of + sql_name(column.left); });
}

std::string without_parentheses(const std::string& row) {
    return row.size() < 2 ? row : row.substr(1, row.size() - 2);
}

std::string equal(const std::vector<Equality>& columns, const std::string& left, const std::string& right) {
    return joined(columns, " AND ", [&](const Equality& column) {
        return fmt::format("{}.{} {} {}.{}", left, sql_name(column.left), column.is, right, sql_name(column.right));
    });
}

}  // namespace kedge::recover
