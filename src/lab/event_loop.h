// One thread, many descriptors and timers: epoll(7) behind callbacks.
//
// Callbacks run one after another on the thread that calls `run`; they may watch, forget, schedule and cancel
// anything, themselves included. Nothing here is safe to use from another thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/descriptor.h"

namespace kedge::lab {

class EventLoop {
public:
    using OnReady = std::function<void(std::uint32_t events)>;  // EPOLLIN, EPOLLOUT and so on
    using OnTime = std::function<void()>;
    using Timer = std::pair<Moment, std::uint64_t>;

    static Result<EventLoop> open();

    // Calls `on_ready` while `fd` is ready for `events`. The descriptor stays the caller's, who forgets it
    // before closing it. `events` may be 0: only errors and hang-ups are told then.
    void watch(int fd, std::uint32_t events, OnReady on_ready);
    void change(int fd, std::uint32_t events);
    void forget(int fd);

    // Calls `on_time` once, not before `when` and within a millisecond of it unless another callback works longer.
    Timer schedule(Moment when, OnTime on_time);
    // Cancelling one that has passed is harmless.
    void cancel(const Timer& timer);

    Moment now() const { return clock_.now(); }
    // Returns after `stop` is requested or `leave` is called.
    void run(const std::stop_token& stop = {});
    void leave() { leaving_ = true; }

private:
    struct Watch {
        std::uint64_t serial;
        std::uint32_t events;
        OnReady on_ready;
    };
    EventLoop(Descriptor epoll, Descriptor alarm, Descriptor stopped)
        : epoll_(std::move(epoll)), alarm_(std::move(alarm)), stopped_(std::move(stopped)) {}
    void set_alarm();
    void run_timers();
    void dispatch(std::uint64_t serial, std::uint32_t events);

    SystemClock clock_;
    Descriptor epoll_, alarm_, stopped_;
    std::unordered_map<int, std::uint64_t> serials_;                     // by descriptor
    std::unordered_map<std::uint64_t, std::unique_ptr<Watch>> watches_;  // by serial
    std::vector<std::unique_ptr<Watch>> forgotten_;  // kept until the callback that may be theirs has returned
    std::map<Timer, OnTime> timers_;
    Moment alarm_at_{};
    std::uint64_t next_serial_ = 16;  // the low ones are the loop's own
    bool leaving_ = false;
};

}  // namespace kedge::lab
