// What a recovered database and the live one differ in, table by table: rows that only one of them has, and rows that
// changed. It answers "what did we lose, what did we damage".
//
// Both servers sort a table by its key and send one line a row, the key and a digest of the columns that both have; the
// two are merged as they come, so that no table is too large. Each side is read in one snapshot of its own.
//
// A key is compared as text: 1.0 and 1.00 are two keys. Rows of a table without a key are compared by their content,
// as many times as they are there; none of them is then "changed".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "recover/tables.h"

namespace kedge::recover {

struct CompareOptions {
    std::vector<std::string> tables;     // as people write them; empty: all
    std::size_t keys_max = 0;            // of each kind, in readable form
    Span limit = std::chrono::hours{1};  // for one table on one server
    std::stop_token stop{};
    std::function<void(const std::string& table)> on_table{};
};

struct Difference {
    std::uint64_t rows = 0;
    std::vector<std::string> keys;  // the first of them: "17", "17,west"; digests where there is no key
};

struct TableComparison {
    std::string name;
    std::vector<std::string> key;  // its columns; empty: compared by content
    Difference only_recovered, only_live, changed;
    std::uint64_t same = 0;
    // Columns that one side lacks, or has with another type: "note text", "total numeric(10,2), live: integer".
    std::vector<std::string> columns_only_recovered, columns_only_live, columns_of_other_type;

    bool equal() const;
};

// A table that one side lacks, and how many rows it has.
struct LoneTable {
    std::string name;
    std::uint64_t rows = 0;
};

// Where a sequence stands; nothing: it has given no value. A server that recovered may have skipped up to 32 values of
// each, so that a difference here is shown and decides nothing.
struct SequenceComparison {
    std::string name;
    std::optional<std::int64_t> recovered, live;
};

struct Comparison {
    std::string live{};         // the name of the live database, where it is gone
    bool live_is_gone = false;  // the live server has no such database any more: there is nothing to compare with
    std::vector<TableComparison> tables;
    std::vector<LoneTable> only_recovered, only_live;
    std::vector<SequenceComparison> sequences;  // those that differ
    std::vector<std::string> sequences_only_recovered, sequences_only_live;
    std::vector<std::string> not_compared;  // unlogged tables: a recovery empties them

    bool equal() const;
};

// `live` is in the database that is compared. invalid_input or not_found for a table that neither has; otherwise those
// of SqlSession, told of which server.
Result<Comparison> compare(const backup::PostgresServer& recovered, const backup::PostgresServer& live,
                           const CompareOptions& options);

}  // namespace kedge::recover
