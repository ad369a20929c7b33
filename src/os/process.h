// Other programs: started without a shell, with a clean environment, waited for with a deadline.
//
// A child is the leader of a process group of its own and inherits no descriptor but its three standard
// ones. Its environment is `clean_environment()` and what the caller adds, nothing else. Signal
// dispositions and mask are the defaults. Safe to use from a process that has threads.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/descriptor.h"
#include "os/wait.h"

namespace kedge {

using Arguments = std::vector<std::string>;    // the program first; found through PATH if it has no slash
using Environment = std::vector<std::string>;  // "NAME=value"

// How a process ended: by exit code, or by a signal.
struct Exit {
    int code = 0;    // meaningful when `signal` is 0
    int signal = 0;  // 0: it ended by itself

    bool ok() const { return code == 0 && signal == 0; }
    bool operator==(const Exit&) const = default;
};
// "exit code 3", "killed by signal 9"
std::string to_string(Exit exit);

// Whose rights a child gets. Only root can give rights away.
struct Login {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
};
// not_found if the system knows no such login.
Result<Login> find_login(const std::string& name);
Result<Login> find_login(uid_t uid);

// PATH with Debian's system directories, LC_ALL=C.UTF-8, TZ=UTC, and HOME, USER and LOGNAME of `login`, or
// of the caller if there is none.
Environment clean_environment(const std::optional<Login>& login = std::nullopt);

// The first executable of that name along PATH (Debian's system directories), or itself if it has a slash.
// not_found with a hint otherwise.
Result<std::string> find_program(const std::string& name);

// The path of the program that this process runs, for others to start: of one that was replaced meanwhile, where the
// new one lies. unavailable without /proc.
Result<std::string> own_program();

// Where one of the three standard descriptors of a child goes.
struct Redirect {
    enum class Kind { null, pipe, inherit, append_to_file, descriptor };
    Kind kind = Kind::null;
    std::string path{};   // append_to_file: created with mode 0600 if absent
    int descriptor = -1;  // descriptor: stays the caller's

    static Redirect null() { return {}; }
    static Redirect pipe() { return {Kind::pipe, {}, -1}; }
    static Redirect inherit() { return {Kind::inherit, {}, -1}; }
    static Redirect append_to(std::string path) { return {Kind::append_to_file, std::move(path), -1}; }
    static Redirect of(int descriptor) { return {Kind::descriptor, {}, descriptor}; }
};

struct SpawnOptions {
    Redirect input{};
    Redirect output{};
    Redirect errors{};
    Environment environment{};  // added to the clean one; a name given here wins
    std::string directory{};    // working directory; empty: /
    std::optional<Login> login{};
    bool own_session = false;      // else only a process group of its own
    bool die_with_parent = true;   // SIGKILL when the thread that spawned it ends
    bool guard_group = false;      // SIGKILL for all of its group, whatever it forked, when our process ends
    std::vector<int> keep_open{};  // descriptors the child gets under the same number
};

// A running child. Whoever destroys one that was neither waited for nor released kills its group and reaps it.
// Not thread-safe.
class Child {
public:
    // not_found if there is no such program, invalid_input for an unusable argument, unavailable when the
    // system cannot start it. On success the program has been executed, not merely forked.
    static Result<Child> spawn(const Arguments& arguments, const SpawnOptions& options);

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    pid_t pid() const { return pid_; }
    // Readable by poll(2) once the process has ended.
    int pidfd() const { return pidfd_.get(); }
    // Our ends of the pipes that were asked for; not open otherwise. Non-blocking.
    Descriptor& input() { return input_; }
    Descriptor& output() { return output_; }
    Descriptor& errors() { return errors_; }

    // How it ended, or nothing if it has not until then. It is reaped only by `kill_and_reap` and the destructor, so
    // its pid and group stay its own as long.
    std::optional<Exit> wait(const Until& until);
    // Sends to every process of the group. True if there was one to send to.
    bool signal_group(int signal);
    // Kills what is left of the group and reaps the leader; how it ended.
    Exit kill_and_reap();
    // Gives the process up: it goes on, and this object does nothing more about it. Not for one whose group is guarded.
    pid_t release();

private:
    Child() = default;

    pid_t pid_ = -1;
    Descriptor pidfd_, input_, output_, errors_;
    Descriptor guard_;  // once it is closed, however that comes, what is left of the group is killed
};

struct RunOptions {
    std::string input{};        // what the program reads; then end of file
    Environment environment{};  // added to the clean one
    std::string directory{};    // working directory; empty: /
    std::optional<Login> login{};
    bool guard_group = false;  // as SpawnOptions: for programs that fork, and hold something elsewhere meanwhile
    std::size_t output_bytes_max = 16u << 20;           // of stdout and of stderr each; the rest is read and dropped
    std::string output_file{};                          // stdout is appended to this file instead of kept
    std::function<void(std::string_view)> on_errors{};  // what is written to stderr, as it comes
};

struct RunOutput {
    Exit exit;
    std::string out, err;
    bool truncated = false;  // something was dropped
    Span took{};
};

// Runs a program to its end. When it ends, when the deadline passes or when it is called off, what is left of
// its process group is killed: nothing of the group outlives the call (a program that makes itself a session,
// as a daemon does, has left the group).
// not_found: no such program. outcome_unknown: killed at the deadline or when called off. A program that fails is an
// answer, not an error: look at `exit`.
Result<RunOutput> run(const Arguments& arguments, const Until& until, const RunOptions& options = {});

// As `run`, but an exit other than 0 is an error `fault` with the program's name, its exit and the last line that
// it wrote to stderr.
Result<RunOutput> run_or_fail(const Arguments& arguments, const Until& until, const RunOptions& options = {},
                              Fault fault = Fault::unavailable);

}  // namespace kedge
