// Virtual time: a queue of events, carried out one after the other, each at its moment.
//
// Events of the same moment come in an order drawn from the seed, so that no code can lean on one. Nothing else
// moves time. Belongs to one thread.
#pragma once

#include <functional>
#include <vector>

#include "os/clock.h"
#include "sim/world/random.h"

namespace kedge::sim {

class Schedule final : public Clock {
public:
    using Event = std::function<void()>;

    Schedule(Moment start, Random random) : now_(start), random_(random) {}

    Moment now() const override { return now_; }
    void at(Moment when, Event event);  // a moment that has passed means now
    void after(Span span, Event event) { at(now_ + span, std::move(event)); }
    // Carries out the next event if it is due by `limit`, moving time to it. Otherwise moves time to `limit`: false.
    bool step(Moment limit);
    void run_until(Moment limit);

    std::uint64_t events() const { return serial_; }

private:
    struct Due {
        Moment when;
        std::uint64_t tie, serial;
        Event event;
    };
    static bool later(const Due& a, const Due& b);

    Moment now_;
    Random random_;
    std::uint64_t serial_ = 0;
    std::vector<Due> queue_;  // a heap, the next event first
};

}  // namespace kedge::sim
