// A thin owner of one SQLite connection and its statements: every return code is looked at and becomes an
// error that names the file. Not safe for two threads at once: its user holds a mutex.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace kedge {

class SqliteConnection;

// A prepared statement, kept for the life of its connection. Parameters and columns count as in SQLite:
// parameters from 1, columns from 0.
class SqliteStatement {
public:
    SqliteStatement& bind(int parameter, std::int64_t value);
    SqliteStatement& bind(int parameter, std::string_view value);  // copied

    // Whether there is a row. After `false` or an error the statement is ready for new parameters.
    Result<bool> step();
    // For statements that give no rows.
    Result<void> run();
    // Gives up the rows that are left.
    void reset();

    std::int64_t integer(int column) const;
    std::string text(int column) const;
    // Valid until the next step or reset.
    std::string_view view(int column) const;
    bool is_null(int column) const;

private:
    friend class SqliteConnection;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    SqliteStatement(sqlite3_stmt* statement, const SqliteConnection* connection)
        : statement_(statement), connection_(connection) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    const SqliteConnection* connection_;
};

// Gives up the row of a statement that was read once.
class SqliteRewind {
public:
    explicit SqliteRewind(SqliteStatement& statement) : statement_(statement) {}
    SqliteRewind(const SqliteRewind&) = delete;
    SqliteRewind& operator=(const SqliteRewind&) = delete;
    ~SqliteRewind() { statement_.reset(); }

private:
    SqliteStatement& statement_;
};

class SqliteConnection {
public:
    enum class Mode { create, read_write, read, read_immutable };

    // `vfs` empty = SQLite's own way to the disk. Extensions, triggers, views and double-quoted strings are
    // off, the schema in the file is not trusted. A write lock held elsewhere is waited for at most `busy_limit`.
    static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Mode mode, Span busy_limit,
                                                          const std::string& vfs);

    Result<void> run(const char* sql);
    // The first column of the first row.
    Result<std::int64_t> integer(const char* sql);
    Result<std::string> text(const char* sql);
    Result<SqliteStatement> prepare(const char* sql);

    void restore_busy_limit();
    Span busy_limit() const { return busy_limit_; }
    // Whether the last call that failed did so because another process was in the way.
    bool was_busy() const { return was_busy_; }
    // What the last failed call means. `said` is what was being done.
    Error error(int code, std::string_view said) const;
    // Whether any call has failed otherwise than by waiting in vain for another process.
    bool has_failed() const { return failed_; }
    // Whether SQLite opened the file for reading only, although writing was asked for.
    bool is_read_only() const;
    bool in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }
    const std::string& path() const { return path_; }
    sqlite3* handle() const { return db_.get(); }

private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    SqliteConnection(std::string path, sqlite3* db, Span busy_limit)
        : path_(std::move(path)), db_(db), busy_limit_(busy_limit) {}
    Result<void> configure();

    std::string path_;
    std::unique_ptr<sqlite3, Close> db_;
    Span busy_limit_;
    // Noted where the error is made.
    mutable bool failed_ = false, was_busy_ = false;
};

}  // namespace kedge
