// How fast recoveries went on this machine: what the next one takes is told from that. Until one was large enough to
// tell, from what was measured elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "verify/wal/window.h"

namespace kedge::recover {

struct Pace {
    verify::RecoveryRates log{};
    // Of a dump's data as text, a second, from the first byte read to the server that answers: 4.0 GB took 53 to 66 s
    // on two cores (bench/recover).
    double dump_bytes = 64e6;
    bool dump_is_measured = false;
};
// "as fast as the last ones here", or "as fast as elsewhere: ...".
std::string origin(bool is_measured);

enum class Work { copy, replay, dump };

// Of the recoveries that this state directory remembers, the median of the last five of each work. It only tells how
// long people may have to wait: what cannot be read is as if nothing had been measured, and stops no recovery.
Pace pace_here(const std::string& state_directory);
// Remembers it, and begins anew where that cannot be read. Nothing is remembered if it took less than five seconds:
// that is the time of starting servers, whatever the bytes.
Result<void> note_pace(const std::string& state_directory, Work work, std::uint64_t bytes, Span took);

}  // namespace kedge::recover
