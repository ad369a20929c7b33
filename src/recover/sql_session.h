// A conversation with one PostgreSQL server through a psql that stays: many statements in one transaction, rows that
// stream out and in, and the server's own words where it says no.
//
// Texts are written the same way on every server that is spoken to (ISO dates in UTC, bytea in hexadecimal, shortest
// exact floating-point numbers, UTF-8, an empty search path), so that what two servers say can be compared and what
// one says can be given to the other. No statement is ended by a setting of the server: callers set limits of their
// own. A session that was told no, lost its server or ran out of time is spent: it is only destroyed, and what it had
// not committed is rolled back. One thread, the one that opened it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backup/servers.h"
#include "base/json.h"
#include "os/process.h"
#include "os/socket.h"

namespace kedge::recover {

// A statement that carries out `sql` in the server, past psql's own reading of it: for SQL that others wrote. It may
// hold several statements, none of which says anything about the transaction.
std::string sql_statement(const std::string& sql);

// What the server said when it refused, and the fault that follows from its SQLSTATE (PostgreSQL manual, appendix A):
// conflict for a lock or a deadlock, refused for broken constraints and anything it cannot do, not_allowed for a
// missing right, unavailable for a statement that took too long or a connection that was ended.
Error error_of_psql(const std::string& server, const std::string& said);

class SqlSession {
public:
    // Everything that is asked of the session ends at `until`. unavailable with libpq's words if nobody answers.
    static Result<SqlSession> open(const backup::PostgresServer& server, std::string name, const Until& until);

    // One or more statements, without the last semicolon, and what they print: columns parted by tabs.
    Result<std::string> ask(const std::string& sql);
    Result<void> execute(const std::string& sql);
    // As `ask`; a number or a document. corrupt if it is none.
    Result<std::int64_t> ask_number(const std::string& sql);
    Result<Json> ask_json(const std::string& sql);

    // The rows of `query` in the text format of COPY, one after the other. Nothing else may be asked before the last.
    Result<void> begin_rows(const std::string& query);
    // Nothing after the last row. Holds one row at a time.
    Result<std::optional<std::string>> next_row();

    // Rows in the text format of COPY into `table`, "name (column, ...)". Nothing else may be asked before the end.
    Result<void> begin_filling(const std::string& table);
    Result<void> fill(std::string_view row);
    // How many rows there were. An error may be about any of them.
    Result<std::uint64_t> end_filling();

    // outcome_unknown if the connection was lost before the server had answered.
    Result<void> commit();

    const std::string& name() const { return name_; }

private:
    SqlSession(Child psql, Stream conversation, Stream errors, std::string name, Until until);

    Result<void> send(const std::string& sql);
    // The next line before the mark that ends an answer; nothing at the mark.
    Result<std::optional<std::string>> next_line();
    Result<void> flush();
    // Why psql has ended.
    Error why_it_ended();

    Child psql_;
    Stream conversation_, errors_;
    std::string name_;
    Until until_;
    std::string mark_;     // the line that ends an answer; nobody else can know it
    std::string waiting_;  // rows not yet handed to psql
    std::uint64_t filled_ = 0;
    bool lost_ = false;  // psql ended without the server's no
};

}  // namespace kedge::recover
