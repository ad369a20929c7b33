// Throw-away PostgreSQL servers for tests and benchmarks: real ones, in a temporary directory, on 127.0.0.1, with
// nothing left behind. As root they run as the system's user `postgres`, else as the caller.
//
// Trust authentication, no fsync, WAL segments of 1 MiB, wal_log_hints on, superuser `postgres`. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/process.h"

namespace kedge {

inline constexpr const char* scratch_bin_directory = "/usr/lib/postgresql/15/bin";

// A directory under /tmp that belongs to the user the servers run as; removed with all below it on destruction.
class ScratchDirectory {
public:
    ScratchDirectory();
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    const std::string& path() const { return path_; }
    // The user that the servers run as; nothing: ourselves.
    const std::optional<Login>& login() const { return login_; }
    // Runs a program as that user and returns its output; stops the process when it fails.
    std::string run(const Arguments& arguments, const std::string& input = {}) const;

private:
    std::optional<Login> login_;
    std::string path_;
};

// One from 24000 on (os/scratch_port.h).
std::uint16_t scratch_port();

class ScratchServer {
public:
    // initdb at DIRECTORY/NAME (a copy of one made earlier by this process where there is one) and its settings.
    static std::unique_ptr<ScratchServer> initialize(const ScratchDirectory& directory, const std::string& name);
    // Only its place: a data directory that somebody else makes, and a port.
    static std::unique_ptr<ScratchServer> place(const ScratchDirectory& directory, const std::string& name);
    // A standby of `primary` (running), not yet started.
    static std::unique_ptr<ScratchServer> standby_of(const ScratchServer& primary, const std::string& name);
    // Stops the server at once.
    ~ScratchServer();

    const std::string& name() const { return name_; }
    const std::string& data_directory() const { return data_directory_; }
    std::uint16_t port() const { return port_; }
    // conninfo for the superuser and for replication.
    std::string conninfo() const;

    // Appends a line to its postgresql.conf.
    void configure(const std::string& line) const;
    void start();         // returns when it answers; it dies with the thread that started it
    void stop();          // clean: -m fast
    void kill();          // SIGKILL to every process of it, at one instant
    void freeze() const;  // SIGSTOP to every process of it: it accepts nothing and answers nothing
    void thaw() const;
    bool is_running() const;
    std::string log() const;

    // One statement as superuser in database `postgres`: the first column of the first row, or "".
    Result<std::string> ask(const std::string& statement) const;
    // The same; stops the process when it fails.
    std::string sql(const std::string& statement) const;
    // Waits until `statement` answers `expected`; false after ten seconds.
    bool await(const std::string& statement, const std::string& expected) const;

    // The postmaster and its children.
    std::vector<pid_t> processes() const;

private:
    ScratchServer(const ScratchDirectory& directory, std::string name);
    void write_settings() const;

    const ScratchDirectory& directory_;
    const std::string name_, data_directory_;
    const std::uint16_t port_;
    std::optional<Child> postmaster_;  // when it was started by `start`
};

}  // namespace kedge
