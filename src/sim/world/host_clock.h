// The clock of one machine in the simulated world. A process reads the time of day once, when it starts, and counts on
// from there (os/clock.h): so a clock that was set shows as an error that stays, and a bad crystal as a drift.
#pragma once

#include "sim/world/schedule.h"

namespace kedge::sim {

struct ClockError {
    Span ahead{};                        // negative: behind
    std::int64_t drift_per_million = 0;  // negative: it is slow
};

class HostClock final : public Clock {
public:
    // `schedule` outlives it.
    HostClock(const Schedule& schedule, ClockError error)
        : schedule_(&schedule), begun_(schedule.now()), error_(error) {}

    Moment now() const override { return schedule_->now() + ahead(); }
    // By how much it is ahead of the world's time at present.
    Span ahead() const { return error_.ahead + (schedule_->now() - begun_) * error_.drift_per_million / 1'000'000; }
    // The moment of the world at which it will show `shown`, or the next after that.
    Moment when(Moment shown) const {
        const Span counted = shown - error_.ahead - begun_;
        if (error_.drift_per_million == 0) return begun_ + counted;
        return begun_ + counted * 1'000'000 / (1'000'000 + error_.drift_per_million) + Span{1};
    }

private:
    const Schedule* schedule_;
    Moment begun_;
    ClockError error_;
};

}  // namespace kedge::sim
