// Waits until components have no process left, and proves it: every process that was seen is watched to its end, then
// /proc is read again, until nothing more is found.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/event_loop.h"
#include "lab/process_table.h"

namespace kedge::lab {

class Departure {
public:
    enum class Force : bool { none, kill };
    struct Outcome {
        std::set<ProcessId> seen;  // all that were found on the way, and are gone now
        Span took{};
        int looks = 0;  // how often /proc was read
    };
    // Told once, from the loop: destroy the departure later, not in it. outcome_unknown at the deadline, naming what
    // is left.
    using OnEnd = std::function<void(const Result<Outcome>&)>;

    Departure(EventLoop& loop, uid_t uid, std::vector<Traces> traces, Force force, Moment deadline, OnEnd on_end);
    ~Departure();
    Departure(const Departure&) = delete;
    Departure& operator=(const Departure&) = delete;

    // With Force::kill the first look kills what it finds, all at one instant. To be called once.
    void begin() { look(); }

private:
    void look();
    void one_ended(int fd);
    void finish(const Result<Outcome>& result);

    EventLoop& loop_;
    const uid_t uid_;
    const std::vector<Traces> traces_;
    const Force force_;
    const Moment begun_;
    OnEnd on_end_;
    EventLoop::Timer timer_;
    std::map<int, ProcessHandle> waiting_for_;  // by the handle's descriptor
    Outcome outcome_;
};

}  // namespace kedge::lab
