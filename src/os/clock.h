// The time of day that never steps.
//
// It reads the wall clock once, when the process starts, and goes on from there by the clock that counts
// since boot, suspended time included (CLOCK_BOOTTIME, clock_gettime(2)). A wall clock that is set
// while we run changes no deadline and no measured interval; what remains is the wall clock's own error
// at the start, which two controllers do not share: intervals that span controllers carry that error.
#pragma once

#include "base/time.h"

namespace kedge {

class Clock {
public:
    virtual ~Clock() = default;
    virtual Moment now() const = 0;
};

// Safe to use from any thread. Every instance in a process tells the same time.
class SystemClock final : public Clock {
public:
    Moment now() const override;
};

}  // namespace kedge
