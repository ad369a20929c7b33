// The writing side of the SQLite journal: one connection, and what is said to it inside a transaction.
//
// Nothing here decides; SqliteJournal does. Not safe for two threads at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/chain.h"
#include "journal/sqlite/claim_file.h"
#include "journal/sqlite/connection.h"
#include "os/lock_file.h"

namespace kedge {

struct RunRow {
    Epoch epoch = 0;
    std::string controller;
    bool ended = false;
    Position last = 0;
    std::string head;  // digest of the entry at `last`; empty if it is not there
};

class SqliteWriter {
public:
    static Result<std::unique_ptr<SqliteWriter>> open(const std::string& path, Span busy_limit, const std::string& vfs);

    // corrupt if the database or its write-ahead log is no longer the file that was opened.
    Result<void> files_are_ours() const;
    Result<void> begin() { return db_->run("BEGIN IMMEDIATE"); }
    // Makes the transaction durable. unavailable: certainly nothing was kept; outcome_unknown: it may have been.
    Result<void> commit();
    void roll_back();
    // Whether the database itself has failed, as opposed to having been asked for what must be refused.
    bool has_failed() const { return db_->has_failed(); }
    // Moves what the write-ahead log holds into the database once it is long enough. Only an error of the
    // disk is one; being kept from it by a reader is not.
    Result<void> checkpoint_if_due();

    Result<std::optional<RunRow>> find_run(const RunId& id);
    Result<std::optional<RunId>> holder_of(const std::string& target);
    Result<void> add_run(const RunId& id, const std::vector<std::string>& targets, const std::string& controller);
    Result<void> raise_epoch(const RunId& id, Epoch epoch, const std::string& controller);
    // Adds the entries at the end of the chain and to the record of the run; what the claim remembers next.
    Result<Remembered> add_entries(const RunId& id, Epoch epoch, const std::vector<CheckedDraft>& drafts);
    Result<void> end_run(const RunId& id);
    Result<std::optional<Request>> find_request(const std::string& id);
    Result<void> add_request(const Request& request);
    // Whether `id` waited in the inbox of `run`.
    Result<bool> settle(const RunId& run, const std::string& id, Position at);

private:
    explicit SqliteWriter(std::unique_ptr<SqliteConnection> db) : db_(std::move(db)) {}
    Result<void> prepare();
    Result<void> checkpoint(int how);

    std::unique_ptr<SqliteConnection> db_;
    int log_pages_ = 0;  // length of the write-ahead log after the last commit
    std::optional<FileIdentity> database_file_, log_file_;
    std::optional<SqliteStatement> find_run_, holder_, head_, add_entry_, note_last_, settle_;
};

}  // namespace kedge
