// Puts a supervisor into the background: a session of its own, no terminal, and a parent that waits until it serves.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "lab/supervisor.h"
#include "os/files.h"
#include "os/wait.h"

namespace kedge::lab {
namespace {

constexpr Span start_deadline = std::chrono::seconds{10};

void leave_terminal(const std::string& directory) {
    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    umask(0077);
    [[maybe_unused]] const int moved = chdir(directory.c_str());
    const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    const Descriptor log(open("supervisor.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    dup2(null.get(), 0);
    dup2(log.is_open() ? log.get() : null.get(), 1);
    dup2(1, 2);
}

// In the child: serves, and tells through `report` that it does ("ok") or why it cannot.
void serve(const std::string& directory, const std::string& own_program, Descriptor report) {
    leave_terminal(directory);
    const auto tell = [&](const Json& answer) {
        const std::string line = dump(answer);
        [[maybe_unused]] const auto written = write(report.get(), line.data(), line.size());
        report.close();
    };
    const Result<FileLock> lock = FileLock::acquire(directory + "/supervisor.lock");
    if (!lock) return tell(to_json(lock.error()));
    Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::open(directory, own_program);
    if (!supervisor) return tell(to_json(supervisor.error()));
    tell({{"ok", true}});
    (*supervisor)->run();
}

}  // namespace

Result<void> start_supervisor(const std::string& directory, const std::string& own_program) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return Error{Fault::unavailable, fmt::format("supervisor: cannot make a pipe: {}", std::strerror(errno))};
    const Descriptor ours(ends[0]);
    Descriptor theirs(ends[1]);
    const pid_t pid = fork();
    if (pid < 0) return Error{Fault::unavailable, fmt::format("supervisor: cannot fork: {}", std::strerror(errno))};
    if (pid == 0) {
        serve(directory, own_program, std::move(theirs));
        _exit(0);
    }
    theirs.close();
    TRY(wait_ready(ours.get(), POLLIN, kedge::within(start_deadline)).within("supervisor"));
    std::array<char, 4096> answer;
    const ssize_t got = read(ours.get(), answer.data(), answer.size());
    if (got <= 0) return Error{Fault::unavailable, "supervisor: it ended before it served"};
    const Json told = TRY(parse_json({answer.data(), static_cast<std::size_t>(got)}));
    TRY(answer_of(told));
    return {};
}

}  // namespace kedge::lab
