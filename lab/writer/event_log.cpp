#include "event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr std::int64_t in_flight_margin = 1000;

// A pipe takes a short line whole or not at all (pipe(7)); anything else is written as it comes.
void print(const std::string& line) {
    pollfd out{STDOUT_FILENO, POLLOUT, 0};
    if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
    [[maybe_unused]] const ssize_t size = ::write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace

Result<EventLog> EventLog::open(const std::string& path) {
    Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
    if (!file.is_open()) return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    struct stat status {};
    char last = '\n';
    if (fstat(file.get(), &status) == 0 && status.st_size > 0) {
        [[maybe_unused]] const ssize_t size = pread(file.get(), &last, 1, status.st_size - 1);
    }
    if (last != '\n' && ::write(file.get(), "\n", 1) != 1)
        return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    return EventLog{std::move(file)};
}

EventLog::EventLog(EventLog&& other) noexcept : file_(std::move(other.file_)) {}

void EventLog::note(const std::string& stream, const Attempt& attempt) {
    const std::string line = to_line(stream, attempt) + "\n";
    const std::lock_guard lock{mutex_};
    [[maybe_unused]] const ssize_t size = ::write(file_.get(), line.data(), line.size());
    print(line);
}

std::map<std::string, std::int64_t> next_sequences(const std::string& path) {
    std::map<std::string, std::int64_t> next;
    const auto text = read_file(path, log_bytes_max);
    if (!text) return next;
    for (const auto& [stream, attempts] : parse_attempt_log(*text).streams)
        if (!attempts.empty()) next[stream] = attempts.back().sequence + in_flight_margin;
    return next;
}

}  // namespace kedge::lab
