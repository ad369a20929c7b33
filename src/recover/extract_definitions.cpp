#include "recover/extract_definitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include "backup/sql_text.h"

namespace kedge::recover {
namespace {

// The last of the settings that pg_dump begins with (_doSetFixedOutputState of its archiver), and its last comment.
constexpr std::string_view preamble_end = "\nSET row_security = off;\n";
constexpr std::string_view last_words = "\n--\n-- PostgreSQL database dump complete\n";

std::string list_of(const std::vector<std::string>& tables) {
    std::string list;
    for (const std::string& table : tables) list += (list.empty() ? "" : ", ") + sql_literal(table) + "::regclass";
    return list;
}

Result<std::vector<std::string>> texts(SqlSession& session, const std::string& sql) {
    std::vector<std::string> texts;
    const std::string query = "SELECT coalesce(jsonb_agg(x.t ORDER BY x.t), '[]') FROM (" + sql + ") AS x(t)";
    for (const Json& text : TRY(session.ask_json(query))) texts.push_back(text.get<std::string>());
    return texts;
}

Result<std::string> dump_section(const backup::PostgresServer& recovered, const std::string& section,
                                 const std::string& snapshot, const std::vector<std::string>& tables,
                                 const Until& until) {
    Arguments arguments = {recovered.program("pg_dump"),
                           "-w",
                           "-d",
                           recovered.connection,
                           "-E",
                           "UTF8",
                           "--strict-names",
                           "--snapshot=" + snapshot,
                           "--section=" + section};
    for (const std::string& table : tables) arguments.insert(arguments.end(), {"-t", table});
    const RunOutput output = TRY(run_or_fail(arguments, until, {.environment = recovered.environment}));
    if (output.truncated) return Error{Fault::refused, "the definitions of the tables are too long"};
    return sql_of_dump(output.out);
}

bool has_columns(const Table& child, const ForeignKey& key) {
    return std::ranges::all_of(key.columns,
                               [&](const Equality& column) { return child.column(column.right) != nullptr; });
}

}  // namespace

std::string sql_of_dump(const std::string& dump) {
    const std::size_t preamble = dump.find(preamble_end);
    const std::size_t begin = preamble == std::string::npos ? 0 : preamble + preamble_end.size();
    const std::size_t end = dump.rfind(last_words);
    return dump.substr(begin, end == std::string::npos || end < begin ? std::string::npos : end - begin);
}

Result<Definitions> read_definitions(const backup::PostgresServer& recovered, ExtractSource& source,
                                     const std::vector<std::string>& tables, const Until& until) {
    const std::vector<std::string> all =
        TRY(texts(source.session(),
                  fmt::format("SELECT DISTINCT r::regclass::text FROM (SELECT unnest(ARRAY[{}]) AS r UNION SELECT "
                              "p.relid FROM unnest(ARRAY[{}]) AS a(r), LATERAL pg_partition_tree(a.r) AS p) AS all_of",
                              list_of(tables), list_of(tables))));
    return Definitions{TRY(dump_section(recovered, "pre-data", source.snapshot(), all, until)),
                       TRY(dump_section(recovered, "post-data", source.snapshot(), all, until))};
}

Result<std::vector<std::string>> point_to_again(const Catalogue& recovered, ExtractLive& live,
                                                const std::vector<std::string>& tables) {
    const auto made_again = [&](const std::string& name) { return std::ranges::find(tables, name) != tables.end(); };
    std::vector<std::string> made;
    for (const ForeignKey& key : recovered.foreign_keys) {
        if (!made_again(key.parent) || made_again(key.child)) continue;
        const Table* child = live.catalogue().table(key.child);
        if (child == nullptr || !has_columns(*child, key)) continue;
        const std::string words = fmt::format("{} of {}", key.name, key.child);
        if (auto done = live.define(
                fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {}", key.child, sql_name(key.name), key.definition));
            !done) {
            Error error = std::move(done).error().within("foreign key " + words);
            if (error.hint.empty())
                error.hint = "rows of " + key.child + " refer to rows that are not brought: choose those too";
            return error;
        }
        made.push_back(words);
    }
    return made;
}

Result<std::vector<std::string>> not_made_again(ExtractSource& source, ExtractLive& live,
                                                const std::vector<std::string>& tables) {
    std::vector<std::string> notes;
    const std::vector<std::string> views = TRY(texts(
        source.session(),
        fmt::format("SELECT DISTINCT w.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid "
                    "JOIN pg_class c ON c.oid = w.ev_class WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = "
                    "'pg_class'::regclass AND d.refobjid IN ({}) AND c.relkind IN ('v', 'm')",
                    list_of(tables))));
    for (const std::string& view : views)
        if (TRY(live.session().ask(fmt::format("SELECT to_regclass({}) IS NULL", sql_literal(view)))) == "t")
            notes.push_back(fmt::format("the view {} went with the table and is not made again", view));
    const std::vector<std::string> publications =
        TRY(texts(source.session(), fmt::format("SELECT p.pubname || ' of ' || r.prrelid::regclass FROM "
                                                "pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE "
                                                "r.prrelid IN ({})",
                                                list_of(tables))));
    for (const std::string& publication : publications)
        notes.push_back(fmt::format("the publication {} is without the table: add it again", publication));
    return notes;
}

}  // namespace kedge::recover
