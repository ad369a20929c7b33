#include "lab/event_loop.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace kedge::lab {
namespace {

constexpr std::uint64_t alarm_serial = 1;
constexpr std::uint64_t stop_serial = 2;

bool add(int epoll, int fd, std::uint32_t events, std::uint64_t serial, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = serial;
    return epoll_ctl(epoll, operation, fd, &event) == 0;
}

void clear(int fd) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = read(fd, &count, sizeof count);
}

}  // namespace

Result<EventLoop> EventLoop::open() {
    Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
    Descriptor alarm(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    Descriptor stopped(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll.is_open() || !alarm.is_open() || !stopped.is_open() ||
        !add(epoll.get(), alarm.get(), EPOLLIN, alarm_serial, EPOLL_CTL_ADD) ||
        !add(epoll.get(), stopped.get(), EPOLLIN, stop_serial, EPOLL_CTL_ADD))
        return Error{Fault::unavailable, fmt::format("cannot make an event loop: {}", std::strerror(errno))};
    return EventLoop(std::move(epoll), std::move(alarm), std::move(stopped));
}

void EventLoop::watch(int fd, std::uint32_t events, OnReady on_ready) {
    const std::uint64_t serial = next_serial_++;
    check(!serials_.contains(fd), "a descriptor is watched once");
    check(add(epoll_.get(), fd, events, serial, EPOLL_CTL_ADD), "an open descriptor can be watched");
    serials_[fd] = serial;
    watches_[serial] = std::make_unique<Watch>(Watch{serial, events, std::move(on_ready)});
}

void EventLoop::change(int fd, std::uint32_t events) {
    const auto serial = serials_.find(fd);
    if (serial == serials_.end()) return;
    Watch& watch = *watches_.at(serial->second);
    if (watch.events == events) return;
    watch.events = events;
    check(add(epoll_.get(), fd, events, watch.serial, EPOLL_CTL_MOD), "a watched descriptor is open");
}

void EventLoop::forget(int fd) {
    const auto serial = serials_.find(fd);
    if (serial == serials_.end()) return;
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    const auto watch = watches_.find(serial->second);
    forgotten_.push_back(std::move(watch->second));
    watches_.erase(watch);
    serials_.erase(serial);
}

EventLoop::Timer EventLoop::schedule(Moment when, OnTime on_time) {
    const Timer timer{when, next_serial_++};
    timers_.emplace(timer, std::move(on_time));
    return timer;
}

void EventLoop::cancel(const Timer& timer) {
    timers_.erase(timer);
}

void EventLoop::set_alarm() {
    const Moment first = timers_.empty() ? Moment{} : timers_.begin()->first.first;
    if (first == alarm_at_) return;
    alarm_at_ = first;
    itimerspec setting{};
    if (!timers_.empty()) {
        const Span left = std::max(first - now(), Span{1});
        setting.it_value.tv_sec = left.count() / 1'000'000;
        setting.it_value.tv_nsec = left.count() % 1'000'000 * 1000;
    }
    timerfd_settime(alarm_.get(), 0, &setting, nullptr);
}

void EventLoop::run_timers() {
    const Moment until = now();
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
        const OnTime on_time = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        on_time();
    }
}

void EventLoop::dispatch(std::uint64_t serial, std::uint32_t events) {
    const auto watch = watches_.find(serial);
    if (watch == watches_.end()) return;  // forgotten by a callback before it in the same batch
    watch->second->on_ready(events);
    forgotten_.clear();
}

void EventLoop::run(const std::stop_token& stop) {
    const std::stop_callback on_stop(stop, [fd = stopped_.get()] { eventfd_write(fd, 1); });
    leaving_ = false;
    std::array<epoll_event, 64> events;
    while (!leaving_ && !stop.stop_requested()) {
        set_alarm();
        const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
        check(count >= 0 || errno == EINTR, "an epoll descriptor can be waited for");
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == alarm_serial) {
                clear(alarm_.get());
                alarm_at_ = {};
            } else if (event.data.u64 == stop_serial) {
                clear(stopped_.get());
            } else {
                dispatch(event.data.u64, event.events);
            }
        }
        run_timers();
        forgotten_.clear();
    }
}

}  // namespace kedge::lab
