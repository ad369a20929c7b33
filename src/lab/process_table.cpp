#include "lab/process_table.h"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>

#include "os/clock.h"
#include "os/files.h"
#include "os/wait.h"

namespace kedge::lab {
namespace {

std::string link_target(const std::string& path) {
    std::array<char, 4096> target;
    const ssize_t size = readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return {};
    std::string result(target.data(), static_cast<std::size_t>(size));
    // The program of a process whose file was replaced since.
    constexpr std::string_view deleted = " (deleted)";
    if (result.ends_with(deleted)) result.resize(result.size() - deleted.size());
    return result;
}

std::string marker_in(std::string_view environment) {
    const std::string wanted = fmt::format("{}=", marker_name);
    for (std::size_t at = 0; at < environment.size();) {
        const std::size_t end = std::min(environment.find('\0', at), environment.size());
        const std::string_view entry = environment.substr(at, end - at);
        if (entry.starts_with(wanted)) return std::string(entry.substr(wanted.size()));
        at = end + 1;
    }
    return {};
}

// The fields after the name, which stands in parentheses and may hold anything.
Result<Process> parse_stat(pid_t pid, const std::string& stat) {
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || name_end + 2 >= stat.size())
        return Error{Fault::corrupt, fmt::format("/proc/{}/stat cannot be read", pid)};
    std::istringstream fields(stat.substr(name_end + 2));
    Process process;
    process.id.pid = pid;
    fields >> process.state >> process.parent;
    std::string skipped;
    std::int64_t threads = 0;
    for (int field = 5; field <= 8; ++field) fields >> skipped;
    std::uint64_t flags = 0;
    fields >> flags;
    for (int field = 10; field <= 19; ++field) fields >> skipped;
    if (!(fields >> threads >> skipped >> process.id.start))
        return Error{Fault::corrupt, fmt::format("/proc/{}/stat is too short", pid)};
    constexpr std::uint64_t of_the_kernel = 0x00200000;  // PF_KTHREAD of include/linux/sched.h
    process.is_kernel_thread = (flags & of_the_kernel) != 0;
    // A first thread that has ended while others go on is shown as a zombie, too.
    if (process.state == 'Z' && threads > 1) process.state = 'S';
    return process;
}

Result<Process> read_process(pid_t pid) {
    const std::string path = fmt::format("/proc/{}/stat", pid);
    const Result<std::string> stat = read_file(path);
    if (!stat) return Error{Fault::not_found, fmt::format("no process {}", pid)};
    return parse_stat(pid, *stat);
}

// What a process has is all threads', but shown by those only that have not ended.
std::string folder_of_a_living_thread(pid_t pid) {
    const std::string tasks = fmt::format("/proc/{}/task", pid);
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(tasks.c_str()), closedir);
    while (const dirent* const entry = listing ? readdir(listing.get()) : nullptr)
        if (std::string thread = fmt::format("{}/{}", tasks, entry->d_name); !link_target(thread + "/exe").empty())
            return thread;
    return fmt::format("/proc/{}", pid);
}

// That of a process which gave its memory back is empty, or (Linux 6.18) cannot be opened: ESRCH.
bool is_kept_from_us(const Error& error) {
    return error.fault == Fault::not_allowed || error.fault == Fault::refused;
}

// Whose a process is, is told by its environment, program and directory. All of that is gone for an instant while it
// becomes another program, and for longer while it ends: its memory is given back before it is a zombie, and until then
// it holds its sockets. (environ_read, get_mm_cmdline of Linux's fs/proc/base.c; exec_mmap of fs/exec.c; do_exit of
// kernel/exit.c.) It would be nobody's, so what has neither environment nor words is looked at until it has, or is
// gone. nullopt if it is gone.
Result<std::optional<Process>> read_settled(pid_t pid) {
    constexpr Span at_most = std::chrono::seconds(2);
    const Moment end = SystemClock{}.now() + at_most;
    for (int settled = 0;;) {
        Result<Process> process = read_process(pid);
        if (!process || !process->is_alive()) return std::optional<Process>();
        const std::string folder = folder_of_a_living_thread(pid);
        process->program = link_target(folder + "/exe");
        process->directory = link_target(folder + "/cwd");
        const Result<std::string> environment = read_file(folder + "/environ", 1u << 20);
        if (environment) process->marker = marker_in(*environment);
        const bool has_one = environment ? !environment->empty() : is_kept_from_us(environment.error());
        if (has_one || process->is_kernel_thread) return std::optional(*process);
        // With words it may have become the other program since: looked at again.
        const Result<std::string> words = read_file(folder + "/cmdline", 1u << 20);
        settled = words && !words->empty() ? settled + 1 : 0;
        if (settled == 4) return std::optional(*process);
        if (SystemClock{}.now() > end)
            return Error{Fault::outcome_unknown,
                         fmt::format("process {} has neither an environment nor a command line since {}: it may be "
                                     "ending, and nobody can say whose it is",
                                     pid, readable(at_most))};
        wait_out(within(std::chrono::milliseconds(1)));
    }
}

std::optional<pid_t> parse_pid(std::string_view name) {
    pid_t pid = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (status != std::errc{} || end != name.data() + name.size() || pid <= 0) return std::nullopt;
    return pid;
}

bool lies_below(std::string_view path, std::string_view directory) {
    return !directory.empty() && path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_traced(const Process& process, const Traces& traces) {
    return traces.recorded.contains(process.id) || (!traces.marker.empty() && process.marker == traces.marker) ||
           (!traces.program.empty() && process.program == traces.program &&
            lies_below(process.directory, traces.directory));
}

}  // namespace

Json to_json(ProcessId process) {
    return {{"pid", process.pid}, {"start", process.start}};
}

std::optional<ProcessId> parse_process_id(const Json& json) {
    const auto pid = get_integer(json, "pid");
    const auto start = get_integer(json, "start");
    if (!pid || !start || *pid <= 0 || *start < 0) return std::nullopt;
    return ProcessId{static_cast<pid_t>(*pid), static_cast<std::uint64_t>(*start)};
}

Result<std::vector<Process>> processes_of(uid_t uid) {
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
    if (!proc) return Error{Fault::unavailable, fmt::format("/proc: {}", std::strerror(errno))};
    std::vector<Process> result;
    while (const dirent* const entry = readdir(proc.get())) {
        const std::optional<pid_t> pid = parse_pid(entry->d_name);
        if (!pid) continue;
        struct stat status {};
        if (stat(fmt::format("/proc/{}", *pid).c_str(), &status) != 0 || status.st_uid != uid) continue;
        if (std::optional<Process> process = TRY(read_settled(*pid))) result.push_back(std::move(*process));
    }
    return result;
}

Result<ProcessId> identify(pid_t pid) {
    return TRY(read_process(pid)).id;
}

std::vector<Process> belonging(const std::vector<Process>& all, const Traces& traces) {
    std::set<pid_t> members;
    std::vector<Process> result;
    for (bool grown = true; grown;) {
        grown = false;
        for (const Process& process : all) {
            if (members.contains(process.id.pid)) continue;
            if (!is_traced(process, traces) && !members.contains(process.parent)) continue;
            members.insert(process.id.pid);
            result.push_back(process);
            grown = true;
        }
    }
    return result;
}

Result<ProcessHandle> ProcessHandle::open(ProcessId id) {
    Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, id.pid, 0)));
    const Error gone{Fault::not_found, fmt::format("process {} is gone", id.pid)};
    if (!pidfd.is_open()) return gone;
    // The handle holds whoever has the pid now; only the start time tells whether that is who was meant.
    const Result<ProcessId> now = identify(id.pid);
    if (!now || *now != id) return gone;
    return ProcessHandle(id, std::move(pidfd));
}

Result<void> ProcessHandle::signal(int number) const {
    if (syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0 || errno == ESRCH) return {};
    return Error{Fault::not_allowed, fmt::format("process {}: {}", id_.pid, std::strerror(errno))};
}

bool ProcessHandle::has_ended() const {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 1;
}

int remove_shared_memory(const std::set<pid_t>& creators, uid_t owner) {
    const Result<std::string> table = read_file("/proc/sysvipc/shm");
    if (!table) return 0;
    std::istringstream lines(*table);
    std::string line;
    std::getline(lines, line);  // the heading
    int removed = 0;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::int64_t key = 0, size = 0, attached = 0;
        int id = 0;
        std::string mode;
        pid_t creator = 0, last = 0;
        uid_t uid = 0;
        if (!(fields >> key >> id >> mode >> size >> creator >> last >> attached >> uid)) continue;
        if (uid == owner && attached == 0 && creators.contains(creator) && shmctl(id, IPC_RMID, nullptr) == 0)
            ++removed;
    }
    return removed;
}

}  // namespace kedge::lab
