#include "recover/sequences.h"

#include <fmt/format.h>

#include "backup/sql_text.h"
#include "recover/sql_session.h"

namespace kedge::recover {

std::string sequences_query(std::int64_t further) {
    return fmt::format(
        "SELECT format('%I.%I', schemaname, sequencename), (last_value::numeric + increment_by * least({}, greatest("
        "1000, trunc(abs((CASE WHEN increment_by > 0 THEN max_value ELSE min_value END)::numeric - last_value) / "
        "abs(increment_by::numeric) / 1000))))::text FROM pg_sequences WHERE last_value IS NOT NULL AND NOT cycle",
        further);
}

Result<std::string> move_sequences_on(const backup::PostgresServer& copy, const std::string& name,
                                      const std::vector<SequenceNumber>& numbers, const Until& until) {
    if (numbers.empty()) return std::string("production has given out no numbers");
    std::string values;
    for (const auto& [sequence, number] : numbers)
        values += fmt::format("{}(to_regclass({}), {}::numeric)", values.empty() ? "" : ", ", sql_literal(sequence),
                              sql_literal(number));
    // Up to its last number at most: one that has reached it says so when it is asked for the next.
    SqlSession session = TRY(SqlSession::open(copy, name, until));
    const std::int64_t moved = TRY(session.ask_number(fmt::format(R"(
        SELECT count(pg_catalog.setval(id, value)) FROM (
            SELECT s.seqrelid::regclass AS id, s.seqincrement > 0 AS up, pg_sequence_last_value(s.seqrelid) AS last,
                   CASE WHEN s.seqincrement > 0 THEN least(n.value, s.seqmax)
                        ELSE greatest(n.value, s.seqmin) END::bigint AS value
              FROM (VALUES {}) AS n (id, value) JOIN pg_sequence s ON s.seqrelid = n.id) AS each
         WHERE last IS NULL OR (up AND value > last) OR (NOT up AND value < last))",
                                                                  values)));
    return fmt::format("{} of production's {} sequences moved on", moved, numbers.size());
}

}  // namespace kedge::recover
