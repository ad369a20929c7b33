#include "os/wait.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "os/descriptor.h"

namespace kedge {
namespace {

enum class Woken { ready, late, stopped };

// An eventfd turns a stop request into something that poll(2) can see.
class StopSignal {
public:
    explicit StopSignal(const std::stop_token& stop) {
        if (!stop.stop_possible()) return;
        event_ = Descriptor{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        check(event_.is_open(), "an eventfd can be had");
        callback_.emplace(stop, Raise{event_.get()});
    }
    int fd() const { return event_.get(); }

private:
    struct Raise {
        int fd;
        void operator()() const noexcept { eventfd_write(fd, 1); }
    };
    Descriptor event_;
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
