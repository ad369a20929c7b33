#include "verify/restore/restored_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "os/files.h"
#include "verify/figures.h"

namespace kedge::verify {
namespace {

constexpr Span check_limit = std::chrono::hours(24), count_limit = std::chrono::hours(6);

// The names in a table of contents may be quoted where the catalogue's are not.
std::string unquoted(const std::string& name) {
    std::string plain = name;
    std::erase(plain, '"');
    return plain;
}

std::uint64_t left_out_of(const TableRows& left_out, const std::string& table) {
    const auto found = left_out.find(table);
    return found == left_out.end() ? 0 : found->second;
}

}  // namespace

// What is counted is every ordinary table that no extension brought along, by its name as people write it.
const char* const count_queries =
    "SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 \\gexec\n";

TableRows parse_counts(const std::string& said) {
    TableRows counts;
    for (std::size_t at = 0; at < said.size();) {
        const std::size_t end = std::min(said.find('\n', at), said.size());
        const std::string line = said.substr(at, end - at);
        at = end + 1;
        const std::size_t tab = line.rfind('\t');
        std::uint64_t rows = 0;
        if (tab == std::string::npos) continue;
        std::from_chars(line.data() + tab + 1, line.data() + line.size(), rows);
        counts[line.substr(0, tab)] = rows;
    }
    return counts;
}

bool compare_rows(const TableRows& counts, Examination& examination, const TableRows& left_out) {
    std::uint64_t rows = 0, tables = 0;
    bool all_fit = true;
    const auto damaged = [&](const std::string& table, std::string says) {
        examination.findings.add({Weight::damage, "restore-count", std::move(says), table, {}});
        all_fit = false;
    };
    for (const Content& content : examination.contents) {
        if (content.kind != "table" || !content.rows) continue;
        const auto found = counts.find(unquoted(content.name));
        if (found == counts.end()) {
            damaged(content.name, "the restored database does not have this table");
        } else if (const std::uint64_t out = left_out_of(left_out, content.name);
                   found->second + out != *content.rows) {
            damaged(
                content.name,
                fmt::format("it has {} after the restore{}; {} were counted in the dump", counted(found->second, "row"),
                            out > 0 ? fmt::format(", {} were left out", counted(out)) : "", counted(*content.rows)));
        } else {
            rows += found->second;
        }
        ++tables;
    }
    if (all_fit) examination.facts["restored_rows"] = rows;
    examination.facts["restored_tables"] = tables;
    return all_fit;
}

Result<TableRows> count_rows(const OwnPostgres& postgres, const std::string& database, const std::stop_token& stop) {
    return parse_counts(TRY(postgres.query(database, count_queries, count_limit, stop)));
}

Result<void> check_tables_and_indexes(const OwnPostgres& postgres, const Arguments& which, Examination& examination,
                                      const RestoreOptions& options) {
    const std::string program = postgres.program("pg_amcheck");
    if (!exists(program)) {
        examination.unproved.push_back("that the restored tables and indexes fit together: pg_amcheck is not here");
        return {};
    }
    Arguments arguments = {program,
                           "-h",
                           postgres.socket_directory(),
                           "-U",
                           "postgres",
                           "--install-missing",
                           "-j",
                           std::to_string(options.threads)};
    arguments.insert(arguments.end(), which.begin(), which.end());
    const RunOutput checked = TRY(run(arguments, within(check_limit, options.stop)));
    if (checked.exit.ok()) {
        examination.facts["amcheck"] = "clean";
        return {};
    }
    const bool is_missing = checked.err.find("amcheck.control") != std::string::npos ||
                            checked.err.find("is not available") != std::string::npos;
    if (is_missing)
        examination.unproved.push_back(
            "that the restored tables and indexes fit together: the extension amcheck is not here");
    else
        examination.findings.add({Weight::damage,
                                  "restore-amcheck",
                                  "pg_amcheck: " + last_line(checked.out.empty() ? checked.err : checked.out),
                                  {},
                                  {}});
    return {};
}

}  // namespace kedge::verify
