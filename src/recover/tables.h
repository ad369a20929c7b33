// What tables a database has and how they hang together, as its catalogue says.
//
// Ordinary and partitioned tables that people made: partitions are part of their table, foreign tables and views hold
// no rows of their own, and system schemas are nobody's. Names come from the server as SQL takes them: `public.orders`,
// `public."Order Lines"`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/sql_text.h"
#include "base/result.h"
#include "recover/sql_session.h"

namespace kedge::recover {

struct Column {
    std::string name;
    std::string type;  // "numeric(10,2)", "public.mood"
    bool generated = false;
    bool always_identity = false;  // GENERATED ALWAYS AS IDENTITY: takes a value by an INSERT only

    std::string sql() const { return sql_name(name); }
};

// Two columns that are compared, and the operator that the server itself compares them with:
// "OPERATOR(pg_catalog.=)".
struct Equality {
    std::string left, right, is;
};

struct Table {
    std::string name;  // as SQL takes it
    std::string schema, plain_name;
    bool partitioned = false;
    bool unlogged = false;   // lost in a crash, and so in every recovery
    bool has_rules = false;  // CREATE RULE rewrites what is written to it
    std::vector<Column> columns;
    // The primary key, else another unique index over columns that are never null; empty if there is none. Left and
    // right are the same column.
    std::vector<Equality> key;

    const Column* column(const std::string& name) const;
    // The table in a FROM: without what inherits from it.
    std::string rows() const { return partitioned ? name : "ONLY " + name; }
};

struct ForeignKey {
    std::string name, child, parent;  // tables as SQL names them
    std::string definition;           // "FOREIGN KEY (a) REFERENCES public.b(id) ON DELETE CASCADE"
    bool deferrable = false;
    std::vector<Equality> columns;  // left: the parent's, right: the child's
};

struct Sequence {
    std::string name;           // as SQL takes it
    std::string table, column;  // that own it; empty: nobody does
    std::int64_t increment = 1, start = 1, cache = 1;
    std::optional<std::int64_t> last;  // the last value it gave; nothing: none yet
};

struct Catalogue {
    std::map<std::string, Table> tables;
    std::vector<ForeignKey> foreign_keys;
    std::vector<Sequence> sequences;

    const Table* table(const std::string& name) const;
    // The tables that `written` may mean: as SQL names it, as schema.table without quotes, or without its schema.
    std::vector<const Table*> meant_by(const std::string& written) const;
};

// As the transaction of `session` sees it. unavailable, not_allowed: see SqlSession.
Result<Catalogue> read_catalogue(SqlSession& session);

// The one table that `written` means in the first catalogue, else in the second. not_found, or invalid_input when there
// are several.
Result<std::string> table_meant(const std::string& written, const Catalogue& first, const Catalogue& second);

// "a, b, c" of names of columns, each behind `of` ("t."); what stands in a list of columns.
std::string column_list(const std::vector<Column>& columns, const std::string& of = {});
// The left or right names of a key as such a list.
std::string key_list(const std::vector<Equality>& key, const std::string& of = {});
// "(17,west)", as the server writes a row, without the parentheses.
std::string without_parentheses(const std::string& row);
// "l.a = r.a AND l.b = r.b", with the server's own operators.
std::string equal(const std::vector<Equality>& columns, const std::string& left, const std::string& right);

}  // namespace kedge::recover
