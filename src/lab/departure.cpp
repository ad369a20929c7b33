#include "lab/departure.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <csignal>

namespace kedge::lab {

Departure::Departure(EventLoop& loop, uid_t uid, std::vector<Traces> traces, Force force, Moment deadline, OnEnd on_end)
    : loop_(loop),
      uid_(uid),
      traces_(std::move(traces)),
      force_(force),
      begun_(loop.now()),
      on_end_(std::move(on_end)),
      timer_(loop.schedule(deadline, [this] {
          std::string left;
          for (const auto& [fd, handle] : waiting_for_) left += fmt::format(" {}", handle.id().pid);
          finish(Error{Fault::outcome_unknown,
                       fmt::format("after {} these processes had not ended:{}", readable(loop_.now() - begun_), left)});
      })) {}

Departure::~Departure() {
    loop_.cancel(timer_);
    for (const auto& [fd, handle] : waiting_for_) loop_.forget(fd);
}

void Departure::look() {
    const Result<std::vector<Process>> all = processes_of(uid_);
    if (!all) return finish(all.error());
    ++outcome_.looks;
    std::vector<ProcessHandle> found;
    for (const Traces& traces : traces_)
        for (const Process& process : belonging(*all, traces))
            if (Result<ProcessHandle> handle = ProcessHandle::open(process.id)) found.push_back(std::move(*handle));
    if (force_ == Force::kill)  // nothing between the signals but the signals
        for (const ProcessHandle& handle : found) static_cast<void>(handle.signal(SIGKILL).has_value());
    for (ProcessHandle& handle : found) {
        outcome_.seen.insert(handle.id());
        const int fd = handle.fd();
        if (waiting_for_.contains(fd)) continue;
        waiting_for_.emplace(fd, std::move(handle));
        loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { one_ended(fd); });
    }
    if (!waiting_for_.empty()) return;
    outcome_.took = loop_.now() - begun_;
    finish(outcome_);
}

void Departure::one_ended(int fd) {
    loop_.forget(fd);
    waiting_for_.erase(fd);
    if (waiting_for_.empty()) look();
}

void Departure::finish(const Result<Outcome>& result) {
    loop_.cancel(timer_);
    for (const auto& [fd, handle] : waiting_for_) loop_.forget(fd);
    waiting_for_.clear();
    if (const OnEnd on_end = std::exchange(on_end_, nullptr)) on_end(result);
}

}  // namespace kedge::lab
