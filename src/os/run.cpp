// `run`: feeds a child, collects what it writes, and ends it in time.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "os/clock.h"
#include "os/process.h"

namespace kedge {
namespace {

using std::chrono::milliseconds;

// A stop request is noticed this late at worst; the end of the child and its output wake the loop at once.
constexpr Span stop_check_interval = milliseconds{50};

enum class Flow { open, closed };

Flow drain(Descriptor& file, std::string& into, std::size_t bytes_max, bool& truncated) {
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t got = read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Flow::open;
        if (got <= 0) {
            file.close();
            return Flow::closed;
        }
        const std::size_t kept = std::min(static_cast<std::size_t>(got), bytes_max - into.size());
        into.append(buffer.data(), kept);
        truncated |= kept < static_cast<std::size_t>(got);
    }
}

// Writes to a pipe whose reader may be gone, without the signal that would end us.
ssize_t write_quietly(int file, std::string_view bytes) {
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    const ssize_t written = write(file, bytes.data(), bytes.size());
    const int number = errno;
    if (written < 0 && number == EPIPE && sigismember(&before, SIGPIPE) == 0) {
        const timespec at_once{};
        sigtimedwait(&broken, nullptr, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = number;
    return written;
}

void feed(Descriptor& file, std::string_view& rest) {
    const ssize_t written = write_quietly(file.get(), rest);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written < 0) rest = {};  // it does not want to read: its affair
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
    if (rest.empty()) file.close();
}

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    const std::size_t line = text.rfind('\n');
    return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

std::string_view base_name(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

Result<RunOutput> run(const Arguments& arguments, const Until& until, const RunOptions& options) {
    const SystemClock clock;
    const Moment start = clock.now();
    Child child = TRY(Child::spawn(
        arguments, {.input = options.input.empty() ? Redirect::null() : Redirect::pipe(),
                    .output = options.output_file.empty() ? Redirect::pipe() : Redirect::append_to(options.output_file),
                    .errors = Redirect::pipe(),
                    .environment = options.environment,
                    .directory = options.directory,
                    .login = options.login,
                    .own_session = false,
                    .die_with_parent = true,
                    .guard_group = options.guard_group,
                    .keep_open = {}}));
    RunOutput result;
    std::string_view rest = options.input;
    const auto drain_errors = [&] {
        const std::size_t before = result.err.size();
        drain(child.errors(), result.err, options.output_bytes_max, result.truncated);
        if (options.on_errors && result.err.size() > before)
            options.on_errors(std::string_view{result.err}.substr(before));
    };
    while (!child.wait(start)) {
        const Span left = until.deadline - clock.now();
        const bool stopped = until.stop.stop_requested();
        if (left <= Span::zero() || stopped) {
            child.kill_and_reap();
            return Error{Fault::outcome_unknown,
                         stopped ? fmt::format("{}: killed, since it was called off", base_name(arguments.front()))
                                 : fmt::format("{}: killed, since it did not end within {}",
                                               base_name(arguments.front()), readable(clock.now() - start))};
        }
        std::array<pollfd, 4> waits{pollfd{child.pidfd(), POLLIN, 0}, pollfd{child.output().get(), POLLIN, 0},
                                    pollfd{child.errors().get(), POLLIN, 0}, pollfd{child.input().get(), POLLOUT, 0}};
        const Span slice = std::min(left, until.stop.stop_possible() ? stop_check_interval : Span{left});
        poll(waits.data(), waits.size(),
             static_cast<int>(std::clamp<std::int64_t>(std::chrono::ceil<milliseconds>(slice).count(), 0, 60'000)));
        if (waits[1].revents != 0) drain(child.output(), result.out, options.output_bytes_max, result.truncated);
        if (waits[2].revents != 0) drain_errors();
        if (waits[3].revents != 0) feed(child.input(), rest);
    }
    // What it wrote before it ended lies in the pipes; whoever still holds them open is not waited for.
    if (child.output().is_open()) drain(child.output(), result.out, options.output_bytes_max, result.truncated);
    if (child.errors().is_open()) drain_errors();
    result.exit = child.kill_and_reap();
    result.took = clock.now() - start;
    return result;
}

Result<RunOutput> run_or_fail(const Arguments& arguments, const Until& until, const RunOptions& options, Fault fault) {
    RunOutput output = TRY(run(arguments, until, options));
    if (output.exit.ok()) return output;
    const std::string said = last_line(output.err);
    return Error{fault, fmt::format("{}: {}{}{}", base_name(arguments.front()), to_string(output.exit),
                                    said.empty() ? "" : ": ", said)};
}

}  // namespace kedge
