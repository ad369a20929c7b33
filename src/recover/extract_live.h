// The live side of an extraction: rows on trial, what live already has of them, and what is then written.
//
// Everything happens in one transaction of the live primary that begins with `open`.
#pragma once

#include <string>
#include <vector>

#include "recover/extract.h"
#include "recover/tables.h"

namespace kedge::recover {

// Candidates that were brought to live to be looked at, in temporary tables: `rows` holds them under numbers, `states`
// says of each number 'absent', 'same' or 'differs'.
struct Trial {
    const Table* table = nullptr;  // live's
    std::vector<Column> columns;   // that are brought
    std::string rows, states;
    std::uint64_t absent = 0, same = 0, differs = 0;
};

struct TriggerState {
    std::string table, name;
    std::string enabled;  // 'O', 'D', 'R' or 'A', as pg_trigger says
    bool ours = false;    // made by people, not by a constraint

    bool operator==(const TriggerState&) const = default;
};

class ExtractLive {
public:
    // refused by a server that takes no writes.
    static Result<ExtractLive> open(const backup::PostgresServer& server, Span lock_limit, Span limit,
                                    const Until& until);

    const Catalogue& catalogue() const { return catalogue_; }
    SqlSession& session() { return session_; }
    // Its number, for pg_xact_status.
    const std::string& transaction() const { return transaction_; }

    // Carries out what defines tables, their constraints and so on.
    Result<void> define(const std::string& definitions);
    // Reads the catalogue anew: pointers into it are void.
    Result<void> reload();

    // Nobody else writes to it until the end.
    Result<void> lock(const Table& table);
    // Takes rows, each a number and the columns, until `end_trial`.
    Result<Trial> begin_trial(const Table& table, std::vector<Column> columns);
    Result<void> end_trial(const Trial& trial);
    // What live has of the rows, by its key or, without one, by content.
    Result<void> judge(Trial& trial);
    // The same for parents: what `key` refers to is there when its own columns are.
    Result<void> judge_parents(Trial& trial, const ForeignKey& key);
    // The numbers of rows in these states, one a row, by `next_row` of the session.
    Result<void> begin_numbers(const Trial& trial, const std::string& states);
    // The keys of the first rows that differ.
    Result<std::vector<std::string>> differing_keys(const Trial& trial, std::size_t count);

    // Switches the triggers of people off: of `table` and its partitions. How many were on.
    Result<std::size_t> switch_triggers_off(const Table& table);
    // Rows of all these trials, which are of one table, that are absent. How many.
    Result<std::uint64_t> insert(const std::vector<const Trial*>& trials);
    // Gives live's rows the content of those that differ. How many.
    Result<std::uint64_t> replace(const Trial& trial);
    // Every deferred constraint is checked now.
    Result<void> check_constraints();
    // Puts every trigger back to what it was, and looks whether all are.
    Result<void> put_triggers_back();
    // Moves the sequence on to the furthest of what it gave, `recovered`, and the values of its column. Nothing if it
    // is there already.
    Result<std::optional<MovedSequence>> move_on(const Sequence& sequence, std::optional<std::int64_t> recovered);

private:
    ExtractLive(SqlSession session, std::string transaction, Catalogue catalogue)
        : session_(std::move(session)), transaction_(std::move(transaction)), catalogue_(std::move(catalogue)) {}

    Result<void> judge_by(Trial& trial, const std::string& sql);
    Result<std::vector<TriggerState>> triggers_of(const std::string& table);

    SqlSession session_;
    std::string transaction_;
    Catalogue catalogue_;
    std::size_t trials_ = 0;
    std::map<std::string, std::vector<TriggerState>> triggers_before_;  // by the table that was asked about
};

// The key of live's table, if all of its columns are brought; else empty.
std::vector<Equality> key_of(const Trial& trial);

}  // namespace kedge::recover
