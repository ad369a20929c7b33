#include "backup/production.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "backup/servers.h"
#include "backup/sql_text.h"
#include "verify/figures.h"

namespace kedge::backup {
namespace {

using namespace std::chrono_literals;

// Of one statement; a table that takes longer is known by its statistics.
constexpr Span count_limit = 20s;

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string place_of(const PostgresServer& server) {
    return fmt::format("the {} in {}", server.is_standby ? "standby" : "primary", server.region);
}

// What the server's statistics say: rows since the last analysis are counted by the primary, not by a standby.
ProductionRows estimated(const PostgresServer& server, const std::string& table, const std::string& why,
                         const std::stop_token& stop) {
    const auto answer = ask_postgres(
        server,
        fmt::format("SELECT CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup WHEN c.reltuples >= 0 THEN "
                    "c.reltuples::bigint END FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid "
                    "WHERE c.oid = to_regclass({})",
                    sql_literal(sql_table(table))),
        count_limit, stop);
    if (!answer) return {.how = fmt::format("{} does not say: {}", place_of(server), answer.error().message)};
    const auto rows = number(*answer);
    if (!rows)
        return {.how =
                    fmt::format("{} has no statistics of it{}", place_of(server), why.empty() ? "" : ", and " + why)};
    return {rows, true, fmt::format("by the statistics of {}{}", place_of(server), why.empty() ? "" : ": " + why)};
}

ProductionRows counted_in(const PostgresServer& server, const std::string& table, const std::stop_token& stop) {
    if (!server.is_standby) return estimated(server, table, "no standby answers, and nothing is counted there", stop);
    const auto answer = ask_postgres(server, "SELECT count(*) FROM ONLY " + sql_table(table), count_limit, stop);
    if (const auto rows = answer ? number(*answer) : std::nullopt)
        return {rows, false, "counted on " + place_of(server)};
    return estimated(server, table, answer ? "its answer is no number" : answer.error().message, stop);
}

}  // namespace

std::map<std::string, ProductionRows> count_in_production(const Target& database,
                                                          const std::vector<std::string>& tables,
                                                          const std::stop_token& stop) {
    std::map<std::string, ProductionRows> rows;
    const Result<PostgresServer> server = find_postgres(database, std::nullopt, stop);
    for (const std::string& table : tables)
        rows[table] = server ? counted_in(*server, table, stop) : ProductionRows{.how = server.error().message};
    return rows;
}

Comparison compare_with_production(std::uint64_t backup, const ProductionRows& production, double allowed) {
    if (!production.rows) return {.says = "production is unknown: " + production.how};
    const double there = static_cast<double>(*production.rows), here = static_cast<double>(backup);
    Comparison comparison;
    comparison.difference = there > 0 ? (here - there) / there : here > 0 ? 1.0 : 0.0;
    comparison.within = std::abs(*comparison.difference) <= allowed;
    comparison.says = fmt::format(
        "{} in the backup, {}{} in production ({}): {:.1f} % {}, {:.1f} % allowed", verify::counted(backup),
        production.is_estimate ? "about " : "", verify::counted(*production.rows), production.how,
        std::abs(*comparison.difference) * 100, *comparison.difference < 0 ? "fewer" : "more", allowed * 100);
    return comparison;
}

}  // namespace kedge::backup
