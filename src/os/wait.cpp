#include "os/wait.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "os/descriptor.h"

namespace kedge {
namespace {

enum class Woken { ready, late, stopped };

// An eventfd turns a stop request into something that poll(2) can see. One for each thread: rows come and go in many
// small waits.
class StopSignal {
public:
    explicit StopSignal(const std::stop_token& stop) {
        if (!stop.stop_possible()) return;
        thread_local const Descriptor event{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        check(event.is_open(), "an eventfd can be had");
        fd_ = event.get();
        callback_.emplace(stop, Raise{this});
    }
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;
    ~StopSignal() {
        callback_.reset();  // waits for one that runs
        eventfd_t raised = 0;
        if (is_raised_) eventfd_read(fd_, &raised);
    }
    int fd() const { return fd_; }

private:
    struct Raise {
        StopSignal* signal;
        void operator()() const noexcept {
            signal->is_raised_ = true;
            eventfd_write(signal->fd_, 1);
        }
    };
    int fd_ = -1;
    std::atomic<bool> is_raised_ = false;
    std::optional<std::stop_callback<Raise>> callback_;
};

Result<Woken> poll_until(int fd, short events, const Until& until) {
    const StopSignal stop{until.stop};
    const SystemClock clock;
    for (;;) {
        pollfd watched[2] = {{fd, events, 0}, {stop.fd(), POLLIN, 0}};  // poll skips a negative descriptor
        const Span left = std::max(until.deadline - clock.now(), Span{0});
        const timespec timeout{left.count() / 1'000'000, (left.count() % 1'000'000) * 1'000};
        const int count = ppoll(watched, 2, &timeout, nullptr);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return Error{Fault::unavailable, fmt::format("poll: {}", std::strerror(errno))};
        if (watched[1].revents != 0) return Woken::stopped;
        if (watched[0].revents != 0) return Woken::ready;
        if (clock.now() >= until.deadline) return Woken::late;
    }
}

}  // namespace

Until within(Span span, std::stop_token stop) {
    return Until{SystemClock{}.now() + span, std::move(stop)};
}

Result<void> wait_ready(int fd, short events, const Until& until) {
    switch (TRY(poll_until(fd, events, until))) {
        case Woken::ready: return {};
        case Woken::late: return Error{Fault::unavailable, "no answer before the deadline"};
        case Woken::stopped: return Error{Fault::unavailable, "called off"};
    }
    return {};
}

bool wait_out(const Until& until) {
    const auto woken = poll_until(-1, 0, until);
    return woken && *woken != Woken::stopped;
}

}  // namespace kedge
