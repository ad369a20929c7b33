#include "os/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace kedge {
namespace {

constexpr std::string_view search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// glibc 2.36 declares these in headers of their own which clash with <linux/...>; the calls are older.
int open_pidfd(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}
void close_on_exec_from(int first) {
    constexpr unsigned close_range_cloexec = 1U << 2;
    syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, close_range_cloexec);
}

Error system_error(Fault fault, std::string_view what, int number) {
    return {fault, fmt::format("{}: {}", what, std::strerror(number))};
}

struct Pipe {
    Descriptor read_end, write_end;
};
Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(Fault::unavailable, "cannot make a pipe", errno);
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

void set_non_blocking(const Descriptor& file) {
    fcntl(file.get(), F_SETFL, fcntl(file.get(), F_GETFL) | O_NONBLOCK);
}

// The child's end of one standard stream, and ours if it is a pipe.
struct Ends {
    Descriptor owned;  // keeps the child's end alive until the fork
    int child = -1;    // -1: inherit
    Descriptor ours;
};
Result<Ends> open_stream(const Redirect& stream, bool child_reads) {
    Ends ends;
    switch (stream.kind) {
        case Redirect::Kind::inherit: return ends;
        case Redirect::Kind::descriptor: ends.child = stream.descriptor; return ends;
        case Redirect::Kind::null: ends.owned = Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC)); break;
        case Redirect::Kind::append_to_file:
            ends.owned = Descriptor(open(stream.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
            break;
        case Redirect::Kind::pipe: {
            Pipe pipe = TRY(make_pipe());
            ends.owned = std::move(child_reads ? pipe.read_end : pipe.write_end);
            ends.ours = std::move(child_reads ? pipe.write_end : pipe.read_end);
            set_non_blocking(ends.ours);
            break;
        }
    }
    if (!ends.owned.is_open())
        return system_error(Fault::unavailable, stream.path.empty() ? "/dev/null" : stream.path, errno);
    ends.child = ends.owned.get();
    return ends;
}

Environment merged(Environment environment, const Environment& added) {
    for (const std::string& entry : added) {
        const std::string name = entry.substr(0, entry.find('=') + 1);
        std::erase_if(environment, [&](const std::string& other) { return other.starts_with(name); });
        environment.push_back(entry);
    }
    return environment;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
}

// All that the child needs, laid out before the fork: after it, only calls that are safe in a signal handler.
struct Launch {
    const char* program;
    char* const* arguments;
    char* const* environment;
    const char* directory;
    std::array<int, 3> streams;
    const SpawnOptions* options;
    const gid_t* groups;
    std::size_t group_count;
    int report;  // an errno goes here if the program could not be executed
    int guard;   // its other end is closed when our process ends; -1: nobody watches it
};

[[noreturn]] void give_up(int report) {
    const int number = errno;
    [[maybe_unused]] const auto written = write(report, &number, sizeof number);
    _exit(127);
}

void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; ++number)
        if (number != SIGKILL && number != SIGSTOP) signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

void place_streams(Launch& launch) {
    // A stream that lies below 3 would be overwritten by its neighbour: lift all of them first.
    for (int& stream : launch.streams)
        if (stream >= 0 && (stream = fcntl(stream, F_DUPFD_CLOEXEC, 3)) < 0) give_up(launch.report);
    for (int target = 0; target < 3; ++target) {
        const int stream = launch.streams[static_cast<std::size_t>(target)];
        if (stream >= 0 && dup2(stream, target) < 0) give_up(launch.report);
    }
}

void take_rights(const Launch& launch) {
    if (!launch.options->login) return;
    const Login& login = *launch.options->login;
    if (login.uid == geteuid() && login.gid == getegid()) return;
    if (setgroups(launch.group_count, launch.groups) != 0 || setgid(login.gid) != 0 || setuid(login.uid) != 0)
        give_up(launch.report);
}

// Leaves a process in this group that does nothing but wait for our process to end, and then kills the group and so
// itself. The kernel's own signal for that reaches only the leader. It is nobody's child here, so that a program that
// waits for its children never sees it, and it holds no descriptor but its pipe.
void leave_guard(const Launch& launch) {
    const pid_t between = _Fork();
    if (between < 0) give_up(launch.report);
    if (between > 0) {
        while (waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
        }
        return;
    }
    const pid_t guard = _Fork();
    if (guard != 0) _exit(guard < 0 ? 127 : 0);
    if (dup2(launch.guard, 0) < 0) _exit(127);
    close_range(1, ~0U, 0);
    char nothing = 0;
    while (read(0, &nothing, 1) < 0 && errno == EINTR) {
    }
    kill(0, SIGKILL);
    _exit(0);
}

[[noreturn]] void become(Launch launch, pid_t parent) {
    reset_signals();
    if (launch.options->own_session ? setsid() < 0 : setpgid(0, 0) != 0) give_up(launch.report);
    if (launch.guard >= 0) leave_guard(launch);
    place_streams(launch);
    take_rights(launch);
    if (chdir(launch.directory) != 0) give_up(launch.report);
    if (launch.options->die_with_parent) {
        // After the change of rights, which would clear it; the parent may be gone already.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127);
    }
    close_on_exec_from(3);
    for (const int kept : launch.options->keep_open) fcntl(kept, F_SETFD, 0);
    execve(launch.program, launch.arguments, launch.environment);
    give_up(launch.report);
}

Result<void> refuse_unusable(const Arguments& arguments) {
    if (arguments.empty()) return Error{Fault::invalid_input, "no program was named"};
    for (const std::string& argument : arguments)
        if (argument.find('\0') != std::string::npos)
            return Error{Fault::invalid_input, fmt::format("{}: an argument holds a null byte", arguments.front())};
    return {};
}

std::vector<gid_t> groups_of(const std::optional<Login>& login) {
    if (!login) return {};
    int count = 64;
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (getgrouplist(login->name.c_str(), login->gid, groups.data(), &count) < 0) count = 0;
    groups.resize(static_cast<std::size_t>(count));
    return groups;
}

Exit exit_of(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = 0};
    return {.code = 0, .signal = info.si_status};
}

Login login_of(const passwd& entry) {
    return {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

}  // namespace

std::string to_string(Exit exit) {
    if (exit.signal != 0) return fmt::format("killed by signal {}", exit.signal);
    return fmt::format("exit code {}", exit.code);
}

Result<Login> find_login(const std::string& name) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return Error{Fault::not_found, fmt::format("no login '{}' on this machine", name)};
    return login_of(entry);
}

Result<Login> find_login(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return Error{Fault::not_found, fmt::format("no login with uid {} on this machine", uid)};
    return login_of(entry);
}

Environment clean_environment(const std::optional<Login>& login) {
    std::string home, user;
    if (login) {
        home = login->home;
        user = login->name;
    } else if (const Result<Login> caller = find_login(geteuid())) {
        home = caller->home;
        user = caller->name;
    }
    if (const char* own = std::getenv("HOME"); !login && own != nullptr && *own != '\0') home = own;
    return {"PATH=" + std::string(search_path),    "LC_ALL=C.UTF-8", "TZ=UTC",
            "HOME=" + (home.empty() ? "/" : home), "USER=" + user,   "LOGNAME=" + user};
}

Result<std::string> own_program() {
    std::array<char, 4096> path{};
    const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
    if (size <= 0) return Error{Fault::unavailable, "cannot find the program that runs: /proc/self/exe cannot be read"};
    std::string found(path.data(), static_cast<std::size_t>(size));
    constexpr std::string_view replaced = " (deleted)";  // proc(5)
    if (found.ends_with(replaced)) found.resize(found.size() - replaced.size());
    return found;
}

Result<std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        if (access(name.c_str(), X_OK) == 0) return name;
        return Error{Fault::not_found, fmt::format("no program {}: {}", name, std::strerror(errno))};
    }
    for (std::size_t at = 0; at < search_path.size();) {
        const std::size_t end = std::min(search_path.find(':', at), search_path.size());
        std::string path = fmt::format("{}/{}", search_path.substr(at, end - at), name);
        if (access(path.c_str(), X_OK) == 0) return path;
        at = end + 1;
    }
    return Error{Fault::not_found, fmt::format("no program '{}' in {}", name, search_path),
                 "install the package that brings it"};
}

Result<Child> Child::spawn(const Arguments& arguments, const SpawnOptions& options) {
    TRY(refuse_unusable(arguments));
    const std::string program = TRY(find_program(arguments.front()));
    const Environment environment = merged(clean_environment(options.login), options.environment);
    const std::vector<char*> argument_pointers = pointers(arguments);
    const std::vector<char*> environment_pointers = pointers(environment);
    const std::vector<gid_t> groups = groups_of(options.login);
    Ends input = TRY(open_stream(options.input, true));
    Ends output = TRY(open_stream(options.output, false));
    Ends errors = TRY(open_stream(options.errors, false));
    Pipe report = TRY(make_pipe()), guard;
    if (options.guard_group) guard = TRY(make_pipe());

    const Launch launch{.program = program.c_str(),
                        .arguments = argument_pointers.data(),
                        .environment = environment_pointers.data(),
                        .directory = options.directory.empty() ? "/" : options.directory.c_str(),
                        .streams = {input.child, output.child, errors.child},
                        .options = &options,
                        .groups = groups.data(),
                        .group_count = groups.size(),
                        .report = report.write_end.get(),
                        .guard = options.guard_group ? guard.read_end.get() : -1};
    const pid_t parent = getpid();
    // Our handlers must not run in the child before it has reset them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0) become(launch, parent);
    const int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return system_error(Fault::unavailable, "cannot start " + program, fork_error);

    Child child;
    child.pid_ = pid;
    child.pidfd_ = Descriptor(open_pidfd(pid));
    child.input_ = std::move(input.ours);
    child.output_ = std::move(output.ours);
    child.errors_ = std::move(errors.ours);
    child.guard_ = std::move(guard.write_end);
    report.write_end.close();
    int number = 0;
    ssize_t got = 0;
    while ((got = read(report.read_end.get(), &number, sizeof number)) < 0 && errno == EINTR) {
    }
    if (got == sizeof number) return system_error(Fault::unavailable, "cannot execute " + program, number);
    if (!child.pidfd_.is_open()) return system_error(Fault::unavailable, "cannot watch " + program, errno);
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      guard_(std::move(other.guard_)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this == &other) return *this;
    if (pid_ > 0) kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    input_ = std::move(other.input_);
    output_ = std::move(other.output_);
    errors_ = std::move(other.errors_);
    guard_ = std::move(other.guard_);
    return *this;
}

Child::~Child() {
    if (pid_ > 0) kill_and_reap();
}

std::optional<Exit> Child::wait(const Until& until) {
    for (;;) {
        siginfo_t info{};
        if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_)
            return exit_of(info);
        if (!wait_ready(pidfd_.get(), POLLIN, until)) return std::nullopt;
    }
}

bool Child::signal_group(int signal) {
    return pid_ > 0 && kill(-pid_, signal) == 0;
}

Exit Child::kill_and_reap() {
    // The leader is not reaped yet, so the group's number cannot have passed to anyone else.
    signal_group(SIGKILL);
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    pid_ = -1;
    pidfd_.close();
    return exit_of(info);
}

pid_t Child::release() {
    check(!guard_.is_open(), "a group that is killed with us is not given up");
    pidfd_.close();
    return std::exchange(pid_, -1);
}

}  // namespace kedge
