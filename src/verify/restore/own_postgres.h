// A PostgreSQL server that belongs to us alone: in a workplace, on a unix socket, without durability.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/time.h"
#include "os/process.h"
#include "verify/restore/workplace.h"

namespace kedge::verify {

inline constexpr Span answer_limit = std::chrono::minutes(2);

// "15.18 (Debian 15.18-0+deb12u1)" -> 15; nothing for what is no version.
std::optional<int> major_of(const std::string& version);
// Whether the programs of that major version are on this machine, where Debian puts them.
bool has_postgres(int major);
// As whom the server runs: root may not run it, so then the user `postgres`; else ourselves (nothing).
Result<std::optional<Login>> postgres_owner();

std::string last_line(const std::string& text);
// The first line of a program's messages that is an error, else the last.
std::string first_error(const std::string& text);

class OwnPostgres {
public:
    // Makes a cluster in the workplace and starts it; answers when it returns.
    static Result<OwnPostgres> start(const Workplace& workplace, int major, const std::optional<Login>& owner,
                                     const std::stop_token& stop);

    // Starts it on the data directory `workplace`/data that is there, with `settings` (lines of postgresql.conf, beside
    // our own) and none of what the directory brings; answers when it returns. corrupt with the server's own words if
    // it ends instead of answering within `limit`.
    static Result<OwnPostgres> start_on_copy(const Workplace& workplace, int major, const std::optional<Login>& owner,
                                             const std::string& settings, Span limit, const std::stop_token& stop);

    // What the server wrote to its log.
    std::string log() const;
    // The path of a program of its version.
    std::string program(const std::string& name) const { return programs_ + "/" + name; }
    const std::string& socket_directory() const { return directory_; }
    // The rows as psql writes them: unaligned, a tab between fields. unavailable with the first error.
    Result<std::string> query(const std::string& database, const std::string& sql, Span limit,
                              const std::stop_token& stop) const;

private:
    static Result<OwnPostgres> launch(const Workplace& workplace, const std::string& programs,
                                      const Arguments& arguments, const std::optional<Login>& owner);
    // Until it answers; false if it ended instead.
    Result<bool> await_answer(Span limit, const std::stop_token& stop);

    OwnPostgres(std::string programs, std::string directory, Child child)
        : programs_(std::move(programs)), directory_(std::move(directory)), child_(std::move(child)) {}

    std::string programs_, directory_;
    Child child_;  // killed with its group when this goes; its children follow it
};

}  // namespace kedge::verify
