// A PostgreSQL server that belongs to us alone: in a workplace, on a unix socket, without durability.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/time.h"
#include "os/process.h"

namespace kedge::verify {

inline constexpr Span answer_limit = std::chrono::minutes(2);

// "15.18 (Debian 15.18-0+deb12u1)" -> 15; nothing for what is no version.
std::optional<int> major_of(const std::string& version);
// "/usr/lib/postgresql/15/bin", where Debian puts them.
std::string postgres_programs(int major);
// Whether the programs of that major version are on this machine, where Debian puts them.
bool has_postgres(int major);
// As whom the server runs: root may not run it, so then the user `postgres`; else ourselves (nothing).
Result<std::optional<Login>> postgres_owner();

std::string last_line(const std::string& text);
// The first line of a program's messages that is an error, else the last.
std::string first_error(const std::string& text);

// How a server is started on a data directory that was copied.
struct CopyStart {
    int major = 0;
    std::optional<Login> owner{};
    std::string settings{};    // lines of postgresql.conf, beside our own
    Span limit{};              // to its first answer
    bool outlives_us = false;  // else it ends with this process
    // Called again and again while it does not answer yet, with what it wrote to its log.
    std::function<void(const std::string& log)> on_look{};
};

class OwnPostgres {
public:
    // Makes a cluster in `place`/data and starts it, with `more_settings` beside our own; answers when it returns.
    static Result<OwnPostgres> start(const std::string& place, int major, const std::optional<Login>& owner,
                                     const std::stop_token& stop, const std::string& more_settings = {});

    // Starts it on the data directory `place`/data that is there, with settings of ours and none of what the directory
    // brings; answers when it returns. corrupt with the server's own words if it ends instead of answering in time.
    static Result<OwnPostgres> start_on_copy(const std::string& place, const CopyStart& how,
                                             const std::stop_token& stop);

    // It goes on when this object, and this process, ends. Only of one that was started to outlive us.
    void leave_running() { child_.release(); }

    // What the server wrote to its log.
    std::string log() const;
    // The path of a program of its version.
    std::string program(const std::string& name) const { return programs_ + "/" + name; }
    const std::string& socket_directory() const { return directory_; }
    // The rows as psql writes them: unaligned, a tab between fields. unavailable with the first error.
    Result<std::string> query(const std::string& database, const std::string& sql, Span limit,
                              const std::stop_token& stop) const;

private:
    static Result<OwnPostgres> launch(const std::string& place, const std::string& programs, const Arguments& arguments,
                                      const std::optional<Login>& owner, bool outlives_us);
    bool says_ready() const;
    // Until it answers; false if it ended instead. `on_look` is called while it does not.
    Result<bool> await_answer(Span limit, const std::stop_token& stop,
                              const std::function<void(const std::string& log)>& on_look = {});

    OwnPostgres(std::string programs, std::string directory, Child child)
        : programs_(std::move(programs)), directory_(std::move(directory)), child_(std::move(child)) {}

    std::string programs_, directory_;
    Child child_;  // killed with its group when this goes, unless it was left running; its children follow it
};

}  // namespace kedge::verify
