#include "recover/erase.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "backup/sql_text.h"
#include "base/digest.h"
#include "recover/row_filter.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr Span catalogue_limit = 1min, erase_limit = std::chrono::hours(6);

std::vector<std::vector<std::string>> rows_of(const std::string& text) {
    std::vector<std::vector<std::string>> rows;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::vector<std::string> fields;
        for (std::size_t field = at; field <= end;) {
            const std::size_t tab = std::min(text.find('\t', field), end);
            fields.push_back(text.substr(field, tab - field));
            field = tab + 1;
        }
        rows.push_back(std::move(fields));
        at = end + 1;
    }
    return rows;
}

struct Reference {
    std::string table, column, to, to_column;  // of a key of one column; else the columns are empty
};

struct ErasureCatalogue {
    // By table the types of its columns; partitions stand for their parent.
    std::map<std::string, std::map<std::string, std::string>> columns;
    std::map<std::string, std::vector<std::string>> primary_keys;
    std::set<std::string> partitioned;
    std::vector<Reference> references;
    std::vector<std::string> views;  // materialized and filled: those that others read come first
};

// What is read of the catalogue beside tables.
constexpr const char* primary_keys_query =
    "SELECT n.nspname || '.' || c.relname, a.attname, c.relkind FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, "
    "at) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number WHERE i.indisprimary AND NOT "
    "c.relispartition AND k.at <= i.indnkeyatts ORDER BY 1, k.at";
constexpr const char* views_query =
    "WITH RECURSIVE reads AS (SELECT DISTINCT r.ev_class AS reader, d.refobjid AS what FROM pg_rewrite r JOIN "
    "pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass "
    "AND d.refobjid <> r.ev_class WHERE r.ev_type = '1'), "
    "levels AS (SELECT oid AS one, 0 AS level FROM pg_class WHERE relkind = 'm' UNION "
    "SELECT reads.reader, level + 1 FROM levels JOIN reads ON reads.what = levels.one) "
    "SELECT n.nspname || '.' || c.relname FROM levels JOIN pg_class c ON c.oid = levels.one JOIN pg_namespace n ON "
    "n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated GROUP BY 1 ORDER BY max(level), 1";

// A partition is reached through its parent.
Result<ErasureCatalogue> read_erasure_catalogue(const backup::PostgresServer& server, const std::stop_token& stop) {
    ErasureCatalogue catalogue;
    const std::string columns = TRY(backup::ask_postgres(
        server,
        "SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind IN "
        "('r', 'p') AND NOT c.relispartition AND "
        "a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND "
        "n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast%'",
        catalogue_limit, stop));
    for (const auto& row : rows_of(columns))
        if (row.size() == 3) catalogue.columns[row[0]][row[1]] = row[2];
    const std::string references = TRY(backup::ask_postgres(
        server,
        "SELECT (SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = k.conrelid), "
        "(SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]), "
        "(SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = k.confrelid), "
        "(SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1]), "
        "cardinality(k.conkey) FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0",
        catalogue_limit, stop));
    for (const auto& row : rows_of(references))
        if (row.size() == 5) {
            const bool single = row[4] == "1";
            catalogue.references.push_back({row[0], single ? row[1] : "", row[2], single ? row[3] : ""});
        }
    for (const auto& row : rows_of(TRY(backup::ask_postgres(server, primary_keys_query, catalogue_limit, stop))))
        if (row.size() == 3) {
            catalogue.primary_keys[row[0]].push_back(row[1]);
            if (row[2] == "p") catalogue.partitioned.insert(row[0]);
        }
    for (const auto& row : rows_of(TRY(backup::ask_postgres(server, views_query, catalogue_limit, stop))))
        if (row.size() == 1) catalogue.views.push_back(row[0]);
    return catalogue;
}

const Reference* reference_of(const ErasureCatalogue& catalogue, const ErasedTable& table) {
    for (const Reference& reference : catalogue.references)
        if (reference.table == table.name && reference.column == table.key && reference.to == table.through)
            return &reference;
    return nullptr;
}

// What the map names and the database has not.
void find_absent(const ErasureCatalogue& catalogue, const ErasureMap& map, std::vector<MissedTable>& missed) {
    for (const ErasedTable& table : map.tables) {
        const auto columns = catalogue.columns.find(table.name);
        if (columns == catalogue.columns.end()) {
            missed.push_back({table.name, "the map names it, and the database has no such table"});
            continue;
        }
        std::vector<std::string> named = {table.key};
        for (const auto& [column, value] : table.set) named.push_back(column);
        for (const std::string& column : named)
            if (!columns->second.contains(column))
                missed.push_back({table.name, fmt::format("the map names its column {}, which it has not", column)});
        if (!table.through.empty() && reference_of(catalogue, table) == nullptr)
            missed.push_back(
                {table.name, fmt::format("no foreign key leads from its column {} to {}", table.key, table.through)});
    }
}

std::vector<MissedTable> find_missed(const ErasureCatalogue& catalogue, const ErasureMap& map) {
    std::vector<MissedTable> missed;
    find_absent(catalogue, map, missed);
    for (const auto& [name, columns] : catalogue.columns) {
        if (map.table(name) != nullptr || map.is_not_personal(name)) continue;
        const auto column =
            std::ranges::find_if(map.personal_columns, [&](const std::string& one) { return columns.contains(one); });
        if (column != map.personal_columns.end()) {
            missed.push_back({name, fmt::format("it has a column {}, and the map does not name it", *column)});
            continue;
        }
        const auto reference = std::ranges::find_if(catalogue.references, [&](const Reference& one) {
            return one.table == name && map.table(one.to) != nullptr;
        });
        if (reference != catalogue.references.end())
            missed.push_back({name, fmt::format("it refers to {}, and the map does not name it", reference->to)});
    }
    return missed;
}

std::string pick_of(std::size_t index) {
    return fmt::format("pg_temp.kedge_pick_{}", index);
}

// What an id is compared with in a column that is no text: the same ids as values of its kind, so that an index on it
// serves. `pattern` fits only texts that the server itself would write of one.
struct ValuesOfIds {
    std::string_view type, table, pattern, within;
};
constexpr ValuesOfIds ids_as_numbers = {"bigint", "kedge_erased_numbers", "^(0|-?[1-9][0-9]{0,18})$",
                                        "subject::numeric BETWEEN -9223372036854775808 AND 9223372036854775807"};
constexpr ValuesOfIds ids_as_uuids = {"uuid", "kedge_erased_uuids",
                                      "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "true"};

const ValuesOfIds* values_for(const std::string& type) {
    if (type == "uuid") return &ids_as_uuids;
    return type == "smallint" || type == "integer" || type == "bigint" ? &ids_as_numbers : nullptr;
}

// The statements that take people out, and the proof.
class Script {
public:
    Script(const ErasureMap& map, const ErasureCatalogue& catalogue) : map_(map), catalogue_(catalogue) {}

    std::string text(const std::set<std::string>& subjects) {
        text_ =
            "\\set ON_ERROR_STOP on\nBEGIN;\nSET LOCAL lock_timeout = '30s';\n"
            "CREATE TEMPORARY TABLE kedge_erased (subject text PRIMARY KEY) ON COMMIT DROP;\n"
            // What is known of a column is kept in a table that is no temporary one, and would hold ids.
            "ALTER TABLE kedge_erased ALTER subject SET STATISTICS 0;\n"
            "COPY kedge_erased FROM STDIN;\n";
        for (const std::string& subject : subjects) text_ += field_of(subject) + "\n";
        text_ +=
            "\\.\nANALYZE kedge_erased;\n"
            "CREATE TEMPORARY TABLE kedge_changed (name text, wanted bigint, changed bigint) ON COMMIT DROP;\n";
        for (const ValuesOfIds* values : {&ids_as_numbers, &ids_as_uuids}) add_ids(*values);
        picked_.assign(map_.tables.size(), false);
        for (std::size_t i = 0; i < map_.tables.size(); ++i) pick(i);
        for (const std::size_t i : children_first()) change(i);
        if (!subjects.empty())
            for (const std::string& view : catalogue_.views)
                if (!map_.is_not_personal(view))
                    text_ += fmt::format("REFRESH MATERIALIZED VIEW {};\n", sql_table(view));
        prove_changed();
        for (std::size_t i = 0; i < map_.tables.size(); ++i) prove(i);
        return text_ + "SELECT name, changed FROM kedge_changed;\nCOMMIT;\n";
    }

private:
    void add_ids(const ValuesOfIds& ids) {
        text_ += fmt::format(
            "CREATE TEMPORARY TABLE {0} ON COMMIT DROP AS SELECT id FROM (SELECT CASE WHEN subject ~ '{1}' THEN CASE "
            "WHEN {2} THEN subject::{3} END END AS id FROM kedge_erased) AS ids WHERE id IS NOT NULL;\n"
            "ALTER TABLE {0} ALTER id SET STATISTICS 0;\nANALYZE {0};\n",
            ids.table, ids.pattern, ids.within, ids.type);
    }

    // Of a row `t` of a table that has the id itself.
    std::string is_erased(const ErasedTable& table) const {
        const ValuesOfIds* ids = values_for(catalogue_.columns.at(table.name).at(table.key));
        if (ids == nullptr) return fmt::format("t.{}::text IN (SELECT subject FROM kedge_erased)", sql_name(table.key));
        return fmt::format("t.{} IN (SELECT id FROM {})", sql_name(table.key), ids->table);
    }

    // Which rows are meant, before any of them changes; what a table is reached through comes first.
    void pick(std::size_t index) {
        if (picked_[index]) return;
        picked_[index] = true;
        const ErasedTable& table = map_.tables[index];
        std::string condition;
        if (table.through.empty()) {
            condition = is_erased(table);
        } else {
            const auto parent = static_cast<std::size_t>(map_.table(table.through) - map_.tables.data());
            pick(parent);
            condition =
                fmt::format("t.{} IN (SELECT p.{} FROM {} p JOIN {} x ON p.tableoid = x.place AND p.ctid = x.at)",
                            sql_name(table.key), sql_name(reference_of(catalogue_, table)->to_column),
                            sql_table(table.through), pick_of(parent));
        }
        const std::string pick = pick_of(index).substr(std::string_view("pg_temp.").size());
        text_ +=
            fmt::format("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT t.tableoid AS place, t.ctid AS at", pick);
        const std::vector<std::string> columns = identity_of(table);
        for (std::size_t i = 0; i < columns.size(); ++i) text_ += fmt::format(", t.{} AS k{}", sql_name(columns[i]), i);
        text_ += fmt::format(" FROM {} t WHERE {};\n", sql_table(table.name), condition);
        for (std::size_t i = 0; i < columns.size(); ++i)
            text_ += fmt::format("ALTER TABLE {} ALTER k{} SET STATISTICS 0;\n", pick, i);
        text_ += fmt::format("ANALYZE {};\n", pick);
    }

    // What a row is known by while others change: where it lies may change with them, by a trigger or a foreign key.
    std::vector<std::string> identity_of(const ErasedTable& table) const {
        const auto key = catalogue_.primary_keys.find(table.name);
        return key == catalogue_.primary_keys.end() ? std::vector{table.key} : key->second;
    }

    // Of a row `t` of the table, later.
    std::string is_picked(std::size_t index) const {
        const ErasedTable& table = map_.tables[index];
        std::string condition = fmt::format("EXISTS (SELECT FROM {} x WHERE ", pick_of(index));
        // A primary key is one table's, not that of those which inherit from it.
        if (catalogue_.primary_keys.contains(table.name) && !catalogue_.partitioned.contains(table.name))
            condition += "x.place = t.tableoid AND ";
        const std::vector<std::string> columns = identity_of(table);
        for (std::size_t i = 0; i < columns.size(); ++i)
            condition += fmt::format("{}x.k{} = t.{}", i == 0 ? "" : " AND ", i, sql_name(columns[i]));
        return condition + ")";
    }

    // Tables that refer to others before those, as far as there is an order.
    std::vector<std::size_t> children_first() const {
        std::vector<std::size_t> order;
        std::set<std::size_t> entered;
        for (std::size_t i = 0; i < map_.tables.size(); ++i) enter(i, order, entered);
        return order;
    }
    void enter(std::size_t index, std::vector<std::size_t>& order, std::set<std::size_t>& entered) const {
        if (!entered.insert(index).second) return;
        for (const Reference& reference : catalogue_.references)
            if (reference.to == map_.tables[index].name)
                if (const ErasedTable* child = map_.table(reference.table))
                    enter(static_cast<std::size_t>(child - map_.tables.data()), order, entered);
        order.push_back(index);
    }

    void change(std::size_t index) {
        const ErasedTable& table = map_.tables[index];
        const std::string name = sql_table(table.name);
        const std::string made = table.is_removed ? fmt::format("DELETE FROM {} t", name)
                                                  : fmt::format("UPDATE {} t SET {}", name, values_of(table));
        // Fewer than were picked is right only if the others were gone before.
        text_ += fmt::format(
            "WITH changed AS ({0} WHERE {1} RETURNING 1), made AS (SELECT count(*) AS many FROM changed) "
            "INSERT INTO kedge_changed SELECT {2}, CASE WHEN many < (SELECT count(*) FROM {3}) THEN (SELECT count(*) "
            "FROM {4} t WHERE {1}) ELSE many END, many FROM made;\n",
            made, is_picked(index), sql_literal(table.name), pick_of(index), name);
    }

    // A trigger may keep a row as it is.
    void prove_changed() {
        text_ +=
            "DO $kedge$ DECLARE kept text; BEGIN SELECT string_agg(name, ', ') INTO kept FROM pg_temp.kedge_changed "
            "WHERE changed < wanted; IF kept IS NOT NULL THEN RAISE EXCEPTION 'rows of erased people are left in %', "
            "kept; END IF; END $kedge$;\n";
    }

    static std::string values_of(const ErasedTable& table) {
        std::string values;
        const auto add = [&](const std::string& column, const std::optional<std::string>& value) {
            if (!values.empty()) values += ", ";
            values += fmt::format("{} = {}", sql_name(column), value ? sql_literal(*value) : "NULL");
        };
        const bool has_key = std::ranges::any_of(table.set, [&](auto& entry) { return entry.first == table.key; });
        if (table.through.empty() && !has_key) add(table.key, std::nullopt);
        for (const auto& [column, value] : table.set) add(column, value);
        return values;
    }

    // Nobody who is erased is found by their id any more, and no row that had to go is there.
    void prove(std::size_t index) {
        const ErasedTable& table = map_.tables[index];
        if (table.through.empty()) prove_none(table, is_erased(table));
        if (table.is_removed) prove_none(table, is_picked(index));
    }
    void prove_none(const ErasedTable& table, const std::string& condition) {
        text_ += fmt::format(
            "DO $kedge$ BEGIN IF EXISTS (SELECT FROM {} t WHERE {}) THEN "
            "RAISE EXCEPTION 'rows of erased people are left in %', {}; END IF; END $kedge$;\n",
            sql_table(table.name), condition, sql_literal(table.name));
    }

    const ErasureMap& map_;
    const ErasureCatalogue& catalogue_;
    std::vector<bool> picked_;
    std::string text_;
};

std::string first_line_with_error(const std::string& text) {
    for (const auto& row : rows_of(text))
        if (row.front().find("ERROR:") != std::string::npos) return row.front().substr(row.front().find("ERROR:"));
    return text.empty() ? "it said nothing" : rows_of(text).front().front();
}

Result<std::map<std::string, std::uint64_t>> run_erasure(const backup::PostgresServer& server,
                                                         const std::string& script, const std::stop_token& stop) {
    Environment environment = server.environment;
    environment.push_back("PGCONNECT_TIMEOUT=5");
    environment.push_back("PGCLIENTENCODING=UTF8");  // as the ledger's ids are
    const RunOutput output =
        TRY(run({server.program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-w", "-d", server.connection},
                within(erase_limit, stop), {.input = script, .environment = environment}));
    if (!output.exit.ok()) {
        // 3: psql ended at an error of the server, which took everything back. 2: the connection was lost.
        const bool refused = output.exit.code == 3;
        return Error{refused ? Fault::refused : Fault::unavailable,
                     "erased people could not be taken out: " + first_line_with_error(output.err)};
    }
    std::map<std::string, std::uint64_t> rows;
    for (const auto& row : rows_of(output.out)) {
        std::uint64_t count = 0;
        if (row.size() != 2 || std::from_chars(row[1].data(), row[1].data() + row[1].size(), count).ec != std::errc())
            return Error{Fault::corrupt, "psql answered what was not asked: " + row.front()};
        rows[row[0]] = count;
    }
    return rows;
}

Result<void> none_missed(const std::vector<MissedTable>& missed) {
    if (missed.empty()) return {};
    return Error{
        Fault::refused,
        fmt::format("the erasure map does not fit the database: {}: {}{}", missed.front().name, missed.front().why,
                    missed.size() > 1 ? fmt::format(" (and {} more)", missed.size() - 1) : ""),
        "name the table in `erasure:` of the estate, under `tables` or `not-personal`"};
}

}  // namespace

Json as_json(const Erased& erased) {
    Json json{{"ledger_head", erased.ledger_head},
              {"subjects", erased.subjects},
              {"held", erased.held},
              {"rows", erased.rows}};
    if (!erased.map.empty()) json["map"] = erased.map;
    return json;
}

std::string digest_of(const ErasureMap& map) {
    const auto as_json = [](const auto& set) {
        Json values = Json::array();
        for (const auto& [column, value] : set) values.push_back(Json::array({column, value ? Json(*value) : Json()}));
        return values;
    };
    Json tables = Json::array();
    for (const ErasedTable& table : map.tables)
        tables.push_back(Json{{"name", table.name},
                              {"key", table.key},
                              {"through", table.through},
                              {"removed", table.is_removed},
                              {"set", as_json(table.set)}});
    return sha256_hex(dump(Json{{"of", map.of},
                                {"tables", tables},
                                {"not_personal", map.not_personal},
                                {"personal_columns", map.personal_columns}}));
}

Result<std::vector<MissedTable>> missed_tables(const backup::PostgresServer& server, const ErasureMap& map,
                                               const std::stop_token& stop) {
    return find_missed(TRY(read_erasure_catalogue(server, stop)), map);
}

Result<void> check_map(const backup::PostgresServer& server, const ErasureMap& map, const std::stop_token& stop) {
    return none_missed(TRY(missed_tables(server, map, stop)));
}

Result<Erased> erase_people(const backup::PostgresServer& server, const ErasureMap& map, const ErasureLedger& ledger,
                            const std::stop_token& stop) {
    if (const auto open = ledger.open_findings(); !open.empty())
        return Error{
            Fault::refused,
            fmt::format("finding {} of the erasure ledger is open: {}", open.front().number, open.front().reason),
            fmt::format("kedge erasure acknowledge {} --reason WHY", open.front().number)};
    const ErasureCatalogue catalogue = TRY(read_erasure_catalogue(server, stop));
    TRY(none_missed(find_missed(catalogue, map)));
    const std::set<std::string> subjects = ledger.erased();
    Erased erased{
        .ledger_head = ledger.head(), .map = digest_of(map), .subjects = subjects.size(), .held = ledger.held().size()};
    erased.rows = TRY(run_erasure(server, Script(map, catalogue).text(subjects), stop));
    return erased;
}

}  // namespace kedge::recover
