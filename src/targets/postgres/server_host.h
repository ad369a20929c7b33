// The machine on which a server's files and tools are: this one, or another by ssh.
//
// Everything is done by plain programs (cat, mv, cp, the server's own tools) as the user that owns the data
// directory, so that it is the same in place and by ssh. Calls block until their deadline. Any thread may call.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/process.h"
#include "os/wait.h"

namespace kedge {

struct ServerHostSettings {
    std::string data_directory;  // absolute
    std::string bin_directory = "/usr/lib/postgresql/15/bin";
    std::string ssh;     // destination as ssh(1) takes it, a login that may do everything here; empty: in place
    std::string run_as;  // in place and as root only; empty: the owner of the data directory
};

class ServerHost {
public:
    ServerHost(std::string name, ServerHostSettings settings);

    const std::string& name() const { return name_; }
    const std::string& data_directory() const { return settings_.data_directory; }
    // The path of one of PostgreSQL's own programs.
    std::string tool(std::string_view program) const;

    // Runs a program there; `options.login` and `options.directory` are not for the caller. A program that fails is
    // an answer. unavailable when ssh itself fails; otherwise as kedge::run.
    Result<RunOutput> run(const Arguments& arguments, const Until& until, RunOptions options = {}) const;
    // As `run`, but an exit other than 0 is `fault` with what the program said.
    Result<RunOutput> run_or_fail(const Arguments& arguments, const Until& until, RunOptions options = {},
                                  Fault fault = Fault::unavailable) const;
    // Starts the removal of a directory and does not wait for it: it goes on when Kedge ends.
    Result<void> remove_behind(const std::string& path) const;
    // The login that `run` uses; nothing: our own.
    Result<std::optional<Login>> login() const;

    // Files there, by absolute path. not_found from `read` for one that is not there.
    Result<bool> exists(const std::string& path, const Until& until) const;
    Result<std::string> read(const std::string& path, const Until& until) const;
    // Whole or not at all: written beside with mode 0600, synced, renamed.
    Result<void> write(const std::string& path, std::string_view content, const Until& until) const;
    // Fails if there is something at `to`.
    Result<void> rename(const std::string& from, const std::string& to, const Until& until) const;
    Result<void> remove(const std::string& path, const Until& until) const;  // with all below it; absent is success
    Result<void> make_directory(const std::string& path, const Until& until) const;
    // The names in a directory, sorted; empty when it is not there.
    Result<std::vector<std::string>> list(const std::string& directory, const Until& until) const;

private:
    // What `arguments` must become to be run there: themselves, or a call of ssh.
    Arguments command_there(const Arguments& arguments) const;

    const std::string name_;
    const ServerHostSettings settings_;
    mutable std::mutex mutex_;
    mutable std::optional<Login> owner_;  // of the data directory; guarded by mutex_, found once
};

// The first line of what a program said on stderr that is its error, without the program's name.
std::string complaint(const RunOutput& output);

}  // namespace kedge
