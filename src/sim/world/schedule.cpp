#include "sim/world/schedule.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kedge::sim {

bool Schedule::later(const Due& a, const Due& b) {
    return std::tie(a.when, a.tie, a.serial) > std::tie(b.when, b.tie, b.serial);
}

void Schedule::at(Moment when, Event event) {
    queue_.push_back({std::max(when, now_), random_.next(), ++serial_, std::move(event)});
    std::push_heap(queue_.begin(), queue_.end(), later);
}

bool Schedule::step(Moment limit) {
    if (queue_.empty() || queue_.front().when > limit) {
        now_ = std::max(now_, limit);
        return false;
    }
    std::pop_heap(queue_.begin(), queue_.end(), later);
    Due due = std::move(queue_.back());
    queue_.pop_back();
    now_ = std::max(now_, due.when);
    due.event();
    return true;
}

void Schedule::run_until(Moment limit) {
    while (step(limit)) {
    }
}

}  // namespace kedge::sim
