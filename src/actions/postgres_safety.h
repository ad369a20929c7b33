// The judgements on which a promotion rests. Pure: looks in, a verdict with its reason out.
#pragma once

#include <map>
#include <string>

#include "actions/action.h"

namespace kedge {

// Whether the server behind these two looks certainly cannot write. A raised fence proves it, and so does a
// server that answers as a standby; silence and refused connections prove nothing.
Truth cannot_write(const Result<DatabaseLook>& server, const Result<FenceLook>& fence, std::string& why);

struct LossBound {
    Truth known = Truth::unknown;
    std::string says;
    Span seconds{};               // at most so much acknowledged work is lost, in time
    std::int64_t heartbeats = 0;  // heartbeats acknowledged by the primary that the standby has not replayed
};

// What promoting `standby` would lose at most. `until` is the moment from which the old primary certainly took no
// more writes (its fence), or now. The newest heartbeat that the standby has replayed was written at some moment;
// everything the primary acknowledged after that moment may be missing. The observer dates heartbeats by its clock and
// the controller the end by its own: the bound allows for what these may differ. Unknown without a sample of the
// primary younger than `sample_age_max`, without a heartbeat on the standby, and when the moments show that the clocks
// differ by more.
LossBound bound_loss(const std::optional<LagSample>& sample, const DatabaseLook& standby, Moment until, Moment now,
                     Span sample_age_max);

}  // namespace kedge
