#include "sim/world/schedule.h"

#include <algorithm>

namespace kedge::sim {

Schedule::~Schedule() {
    for (const Due& due : queue_) due.slot->drop(*due.slot);
}

Schedule::Slot& Schedule::free_slot() {
    if (free_.empty()) return slots_.emplace_back();
    Slot& slot = *free_.back();
    free_.pop_back();
    return slot;
}

void Schedule::push(Moment when, Slot& slot) {
    queue_.push_back({std::max(when, now_), random_.next(), ++serial_, &slot});
    std::push_heap(queue_.begin(), queue_.end(), Later{});
}

bool Schedule::step(Moment limit) {
    if (queue_.empty() || queue_.front().when > limit) {
        now_ = std::max(now_, limit);
        return false;
    }
    std::pop_heap(queue_.begin(), queue_.end(), Later{});
    const Due due = queue_.back();
    queue_.pop_back();
    now_ = std::max(now_, due.when);
    due.slot->run(*due.slot);
    due.slot->drop(*due.slot);
    free_.push_back(due.slot);
    return true;
}

void Schedule::run_until(Moment limit) {
    while (step(limit)) {
    }
}

}  // namespace kedge::sim
