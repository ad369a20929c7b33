#include "os/clock.h"

#include <ctime>

namespace kedge {
namespace {

Span read_clock(clockid_t which) {
    timespec time{};
    check(clock_gettime(which, &time) == 0, "the clocks that every Linux has can be read");
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_nsec / 1000};
}

}  // namespace

Moment SystemClock::now() const {
    static const Moment start_of_boot{read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME)};
    return start_of_boot + read_clock(CLOCK_BOOTTIME);
}

}  // namespace kedge
