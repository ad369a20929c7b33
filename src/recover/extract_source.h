// The recovered side of an extraction: which rows are candidates at the moment, and which of all are written to live.
//
// Rows are known by where they lie (tableoid and ctid), which holds as long as the snapshot that this transaction
// keeps. Everything is kept in temporary tables of a transaction that is never committed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "recover/tables.h"

namespace kedge::recover {

class ExtractSource {
public:
    static Result<ExtractSource> open(const backup::PostgresServer& server, const Until& until);

    const Catalogue& catalogue() const { return catalogue_; }
    // For pg_dump: the same state as what is read here.
    const std::string& snapshot() const { return snapshot_; }
    SqlSession& session() { return session_; }

    // The rows of `table` that fulfil `where` become the candidates; how many. invalid_input if it is no condition.
    Result<std::uint64_t> choose(const Table& table, const std::string& where);
    // The rows of `parent` become the candidates that rows written in `round` refer to by `key`, but for those that are
    // written themselves.
    Result<std::uint64_t> choose_parents(const ForeignKey& key, const Table& child, const Table& parent, int round);

    // The candidates, one after the other: with `number` a number for each, then the columns.
    enum class Numbers { with, without };
    Result<void> begin_candidates(const Table& table, const std::vector<Column>& columns, Numbers numbers);
    Result<std::optional<std::string>> next_candidate() { return session_.next_row(); }

    // Which candidates are written, in `round`: all, or those whose numbers are given in between.
    Result<void> write_all(const Table& table, int round);
    Result<void> begin_written();
    Result<void> add_written(std::string_view number) { return session_.fill(number); }
    Result<void> end_written(const Table& table, int round);

private:
    ExtractSource(SqlSession session, Catalogue catalogue, std::string snapshot)
        : session_(std::move(session)), catalogue_(std::move(catalogue)), snapshot_(std::move(snapshot)) {}

    // The work table for written rows of `table`, made when it is first asked for.
    Result<std::string> written_of(const Table& table);
    Result<std::uint64_t> count_candidates();

    SqlSession session_;
    Catalogue catalogue_;
    std::string snapshot_;
    std::map<std::string, std::string> written_;  // work tables by table
};

}  // namespace kedge::recover
