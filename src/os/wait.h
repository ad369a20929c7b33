// How long a call may take, and who may call it off earlier.
#pragma once

#include <poll.h>

#include <stop_token>

#include "base/result.h"
#include "base/time.h"
#include "os/clock.h"

namespace kedge {

// Every blocking call of this folder takes one. A moment alone converts: `read_line(now + 2s)`.
struct Until {
    Moment deadline;
    std::stop_token stop;

    Until(Moment deadline_, std::stop_token stop_ = {}) : deadline(deadline_), stop(std::move(stop_)) {}
};

// `span` from now.
Until within(Span span, std::stop_token stop = {});

// Waits until `fd` is ready for `events` (poll(2)). unavailable when the deadline passes or the stop is
// requested first; an error or a hang-up of the descriptor counts as ready: the next read tells.
Result<void> wait_ready(int fd, short events, const Until& until);

// Waits until the deadline has passed (yes) or the stop is requested (no).
bool wait_out(const Until& until);

}  // namespace kedge
