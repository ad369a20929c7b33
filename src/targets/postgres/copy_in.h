// Many rows into a server, as COPY takes them, through one connection that nobody else uses.
//
// Nothing waits longer than the deadline that it was opened with, or after it was called off. A connection that lost
// its server, was told no or ran out of time is spent: it is only destroyed, and the server takes back what was not
// committed. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/wait.h"

struct pg_conn;
struct pg_result;

namespace kedge {

class CopyIn {
public:
    // unavailable with libpq's words. No statement is ended by a setting of the server.
    static Result<CopyIn> open(const std::string& conninfo, const Until& until);

    // One statement or several. refused with the server's words.
    Result<void> execute(const std::string& sql);

    // `statement` is a COPY ... FROM STDIN; then rows in its format, in pieces that end anywhere.
    Result<void> begin(const std::string& statement);
    Result<void> fill(std::string_view rows);
    // How many rows the server took. refused with its words, which may be about any of them.
    Result<std::uint64_t> end();

private:
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    struct Free {
        void operator()(pg_result* result) const;
    };
    using Answer = std::unique_ptr<pg_result, Free>;

    CopyIn(std::unique_ptr<pg_conn, Close> connection, Until until)
        : connection_(std::move(connection)), until_(std::move(until)) {}

    Result<void> flush();
    Result<Answer> next_answer();  // null behind the last
    // Reads all answers that are due; the last, which was no error.
    Result<Answer> last_answer();
    Error lost() const;

    std::unique_ptr<pg_conn, Close> connection_;
    Until until_;
};

}  // namespace kedge
