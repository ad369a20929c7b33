// Which processes there are (proc(5)), and which of them belong to a component of a lab.
//
// A pid alone names nobody: it passes to another process. A process is its pid and its start time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "os/descriptor.h"

namespace kedge::lab {

struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start = 0;  // in clock ticks since boot: field 22 of /proc/PID/stat

    auto operator<=>(const ProcessId&) const = default;
};
Json to_json(ProcessId process);
std::optional<ProcessId> parse_process_id(const Json& json);

struct Process {
    ProcessId id;
    pid_t parent = 0;
    char state = '?';     // as in /proc/PID/stat: R, S, D, T, Z, ...
    std::string program;  // the file that it executes; empty if we may not know
    std::string directory;
    bool is_kernel_thread = false;
    std::string marker;  // value of KEDGE_LAB_COMPONENT in its environment; empty if there is none

    // A zombie has released everything it had; only its parent has not asked for it yet.
    bool is_alive() const { return state != 'Z' && state != 'X'; }
};

// Set in the environment of everything that a lab starts: LAB DIRECTORY + "#" + COMPONENT.
inline constexpr std::string_view marker_name = "KEDGE_LAB_COMPONENT";

// Every living process of the caller's effective user (root: of `uid`).
// unavailable if /proc cannot be read; outcome_unknown if one of them is ending, or becoming another program, for so
// long (2 s) that it cannot be said whose it is.
Result<std::vector<Process>> processes_of(uid_t uid);
// The one that has this pid now. not_found if there is none.
Result<ProcessId> identify(pid_t pid);

// How the processes of one component are known.
struct Traces {
    std::string marker;              // its marker
    std::string directory;           // its directory: absolute, without a link
    std::string program;             // what it executes
    std::set<ProcessId> recorded{};  // those that were started as it
};

// The processes of `all` that belong to the component: recorded ones, marked ones, those that execute its program
// in its directory (PostgreSQL's children overwrite their environment), and the descendants of all these.
std::vector<Process> belonging(const std::vector<Process>& all, const Traces& traces);

// Holds a process so that a signal can reach nobody else.
class ProcessHandle {
public:
    // not_found if it is gone (or its pid is somebody else's by now).
    static Result<ProcessHandle> open(ProcessId id);
    // Readable when the process has ended.
    int fd() const { return pidfd_.get(); }
    // Harmless if it has ended. not_allowed if it is another user's.
    Result<void> signal(int number) const;
    bool has_ended() const;
    ProcessId id() const { return id_; }

private:
    ProcessHandle(ProcessId id, Descriptor pidfd) : id_(id), pidfd_(std::move(pidfd)) {}

    ProcessId id_;
    Descriptor pidfd_;
};

// Removes the System V shared memory of `owner` that the given processes made and that nobody is attached to.
// The number of segments removed.
int remove_shared_memory(const std::set<pid_t>& creators, uid_t owner);

}  // namespace kedge::lab
