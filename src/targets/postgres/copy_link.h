// A connection to a PostgreSQL server over which rows go by COPY: what both directions need of it (copy_in.h,
// copy_out.h). Nobody else uses it.
//
// Nothing waits longer than the deadline that it was opened with, or after it was called off. A connection that lost
// its server, was told no or ran out of time is spent: it is only destroyed, and the server takes back what was not
// committed. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "os/wait.h"
#include "targets/postgres/connection.h"

struct pg_conn;
struct pg_result;

namespace kedge {

class CopyLink {
public:
    // unavailable with libpq's words. No statement is ended by a setting of the server. `settings` of the session:
    // "-c work_mem=1MB".
    static Result<CopyLink> open(const ServerAccess& access, const Until& until, const std::string& settings = "");

    // One statement or several. refused with the server's words.
    Result<void> execute(const std::string& sql);
    // The rows of one that gives few.
    Result<Rows> ask(const std::string& sql);

private:
    friend class CopyIn;
    friend class CopyOut;
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    struct Free {
        void operator()(pg_result* result) const;
    };
    using Answer = std::unique_ptr<pg_result, Free>;

    CopyLink(std::unique_ptr<pg_conn, Close> connection, Until until)
        : connection_(std::move(connection)), until_(std::move(until)) {}

    pg_conn* get() const { return connection_.get(); }
    // Sends `sql`; its last answer, or that which says that rows may go.
    Result<Answer> send(const std::string& sql);
    Result<void> flush();
    Result<void> await_more();
    Result<Answer> next_answer();  // null behind the last
    // Reads all answers that are due; the last, which was no error.
    Result<Answer> last_answer();
    Error lost() const;

    std::unique_ptr<pg_conn, Close> connection_;
    Until until_;
};

}  // namespace kedge
