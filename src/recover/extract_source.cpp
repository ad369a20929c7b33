#include "recover/extract_source.h"

#include <fmt/format.h>

#include "backup/sql_text.h"
namespace kedge::recover {

Result<ExtractSource> ExtractSource::open(const backup::PostgresServer& server, const Until& until) {
    SqlSession session = TRY(SqlSession::open(server, "recovered", until));
    TRY(session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ"));
    std::string snapshot = TRY(session.ask("SELECT pg_export_snapshot()"));
    Catalogue catalogue = TRY(read_catalogue(session));
    return ExtractSource(std::move(session), std::move(catalogue), std::move(snapshot));
}

Result<std::uint64_t> ExtractSource::count_candidates() {
    return static_cast<std::uint64_t>(
        TRY(session_.ask_number("ANALYZE pg_temp.kedge_candidates;\nSELECT count(*) FROM pg_temp.kedge_candidates")));
}

Result<std::uint64_t> ExtractSource::choose(const Table& table, const std::string& where) {
    TRY(session_.execute("DROP TABLE IF EXISTS pg_temp.kedge_candidates"));
    const std::string from = fmt::format("FROM {} ", table.rows());
    // Types and operators of extensions are found as the application finds them.
    std::string choosing = "RESET search_path;\n";
    if (!where.empty()) {
        // One condition and nothing else: it has to be one both with parentheses around it and without.
        const auto alone = [](const std::string& sql) {
            return fmt::format("FOR r IN EXECUTE {} LOOP EXIT; END LOOP; ", sql_literal(sql));
        };
        choosing += "DO LANGUAGE plpgsql " +
                    sql_literal("DECLARE r record; BEGIN " + alone("EXPLAIN SELECT 1 " + from + "WHERE " + where) +
                                alone("EXPLAIN SELECT 1 " + from + "WHERE (" + where + "\n)") + "END") +
                    ";\n";
    }
    choosing +=
        sql_statement(fmt::format("CREATE TEMP TABLE kedge_candidates AS SELECT row_number() OVER () AS n, "
                                  "{0}.tableoid AS part, {0}.ctid AS place {1}"
                                  "WHERE ({2}\n)",
                                  sql_name(table.plain_name), from, where.empty() ? "true" : where));
    choosing += ";\nSELECT set_config('search_path', '', false)";
    if (auto chosen = session_.execute(choosing); !chosen) {
        Error error = std::move(chosen).error();
        if (!where.empty() && error.fault == Fault::refused) error.fault = Fault::invalid_input;
        return error.within(where.empty() ? table.name : fmt::format("{}: where {}", table.name, where));
    }
    return count_candidates();
}

Result<std::uint64_t> ExtractSource::choose_parents(const ForeignKey& key, const Table& child, const Table& parent,
                                                    int round) {
    const std::string of_child = TRY(written_of(child)), of_parent = TRY(written_of(parent));
    TRY(session_.execute(fmt::format(
        R"(DROP TABLE IF EXISTS pg_temp.kedge_candidates;
CREATE TEMP TABLE kedge_candidates AS SELECT row_number() OVER () AS n, p.tableoid AS part, p.ctid AS place FROM {} AS p
WHERE EXISTS (SELECT FROM {} AS w JOIN {} AS c ON c.tableoid = w.part AND c.ctid = w.place WHERE w.round = {} AND {})
  AND NOT EXISTS (SELECT FROM {} AS w WHERE w.part = p.tableoid AND w.place = p.ctid))",
        parent.rows(), of_child, child.rows(), round, equal(key.columns, "p", "c"), of_parent)));
    return count_candidates();
}

Result<void> ExtractSource::begin_candidates(const Table& table, const std::vector<Column>& columns, Numbers numbers) {
    std::string list = column_list(columns, "t.");
    if (numbers == Numbers::with) list = "k.n" + (list.empty() ? "" : ", " + list);
    return session_.begin_rows(fmt::format(
        "SELECT {} FROM pg_temp.kedge_candidates AS k JOIN {} AS t ON t.tableoid = k.part AND t.ctid = k.place", list,
        table.rows()));
}

Result<std::string> ExtractSource::written_of(const Table& table) {
    const auto known = written_.find(table.name);
    if (known != written_.end()) return known->second;
    const std::string name = fmt::format("kedge_written_{}", written_.size());
    TRY(session_.execute(
        fmt::format("CREATE TEMP TABLE {} (part oid, place tid, round integer, PRIMARY KEY (part, place))", name)));
    return written_.emplace(table.name, "pg_temp." + name).first->second;
}

Result<void> ExtractSource::write_all(const Table& table, int round) {
    const std::string written = TRY(written_of(table));
    return session_.execute(fmt::format(
        "INSERT INTO {0} SELECT part, place, {1} FROM pg_temp.kedge_candidates;\nANALYZE {0}", written, round));
}

Result<void> ExtractSource::begin_written() {
    TRY(session_.execute("DROP TABLE IF EXISTS pg_temp.kedge_numbers;\nCREATE TEMP TABLE kedge_numbers (n bigint)"));
    return session_.begin_filling("pg_temp.kedge_numbers (n)");
}

Result<void> ExtractSource::end_written(const Table& table, int round) {
    TRY(session_.end_filling());
    const std::string written = TRY(written_of(table));
    return session_.execute(fmt::format(
        "INSERT INTO {0} SELECT part, place, {1} FROM pg_temp.kedge_candidates JOIN pg_temp.kedge_numbers USING (n);\n"
        "ANALYZE {0}",
        written, round));
}

}  // namespace kedge::recover
