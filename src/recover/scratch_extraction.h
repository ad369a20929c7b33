// For tests: a small shop with all that hangs together in it, and what defines it.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "recover/compare.h"
#include "recover/extract.h"
#include "recover/scratch_databases.h"

namespace kedge::recover {

inline constexpr const char* shop = R"(
CREATE TABLE log (t text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.log VALUES (TG_NAME); RETURN coalesce(NEW, OLD); END';
CREATE TABLE regions (name text PRIMARY KEY);
CREATE TABLE customers (id int PRIMARY KEY, region text NOT NULL REFERENCES regions, name text);
CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL REFERENCES customers, total numeric(10, 2) DEFAULT 7,
                     slip text UNIQUE, CHECK (total >= 0));
CREATE INDEX orders_total ON orders (total) WHERE total > 10;
CREATE TABLE lines ("order" int REFERENCES orders ON DELETE CASCADE, line int, amount int, PRIMARY KEY ("order", line));
CREATE VIEW dear_orders AS SELECT * FROM orders WHERE total > 100;
GRANT SELECT ON orders TO PUBLIC;
COMMENT ON COLUMN orders.slip IS 'on paper';
INSERT INTO regions VALUES ('north'), ('south');
INSERT INTO customers SELECT n, CASE WHEN n = 3 THEN 'south' ELSE 'north' END, 'customer ' || n
    FROM generate_series(1, 11) AS n;
INSERT INTO orders (customer, total, slip) SELECT 1 + (n - 1) / 10, n * 1.5, 'slip ' || n FROM generate_series(1, 100) AS n;
INSERT INTO lines SELECT n, k, k FROM generate_series(1, 100) AS n, generate_series(1, 2) AS k;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always_noted AFTER INSERT OR UPDATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER on_replicas BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER is_off BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note())";

inline constexpr const char* trigger_states =
    "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname !~ '^RI_' ORDER BY "
    "tgrelid::regclass::text, tgname";

// Columns, defaults, indexes, constraints, privileges, owners and comments of every table; views may be missing.
inline constexpr const char* everything_that_defines = R"(
SELECT c.relname, c.relkind, c.relacl, c.relowner::regrole FROM pg_class c
WHERE relnamespace::regnamespace::text !~ '^(pg_|information)' AND relkind IN ('r', 'p', 'S', 'i', 'I') ORDER BY 1;
SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
       a.attgenerated, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information)' AND a.attnum > 0 AND NOT a.attisdropped
  AND relkind IN ('r', 'p') ORDER BY 1, 2;
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), condeferrable, convalidated FROM pg_constraint
WHERE conrelid <> 0 AND connamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1, 2;
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1)";

struct How {
    OnConflict on_conflict = OnConflict::stop;
    bool dry_run = false;
    Span lock_limit = std::chrono::seconds(10);
    std::optional<std::vector<ExtractedTable>> expected{};
    std::function<void(const std::string&)> on_step{};
};

inline Result<Extraction> try_extract(const ScratchDatabases& both, std::vector<Chosen> chosen, How how = {}) {
    return extract(both.recovered_server(), both.live_server(),
                   {.chosen = std::move(chosen),
                    .on_conflict = how.on_conflict,
                    .dry_run = how.dry_run,
                    .lock_limit = how.lock_limit,
                    .limit = std::chrono::minutes(5),
                    .expected = std::move(how.expected),
                    .on_step = std::move(how.on_step)});
}

inline Extraction extracted(const ScratchDatabases& both, std::vector<Chosen> chosen, How how = {}) {
    auto done = try_extract(both, std::move(chosen), std::move(how));
    if (!done) fmt::print(stderr, "{} ({})\n", done.error().message, done.error().hint);
    return std::move(done).value();
}

inline const ExtractedTable& table_of(const Extraction& extraction, const std::string& name) {
    const auto found = std::ranges::find(extraction.tables, name, &ExtractedTable::name);
    check(found != extraction.tables.end(), "the table is told of");
    return *found;
}

inline Comparison compared(const ScratchDatabases& both, std::vector<std::string> tables = {}) {
    return compare(both.recovered_server(), both.live_server(), {.tables = std::move(tables)}).value();
}

}  // namespace kedge::recover
