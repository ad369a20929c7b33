#include "actions/postgres_safety.h"

#include <algorithm>

#include "actions/says.h"

namespace kedge {

Truth cannot_write(const Result<DatabaseLook>& server, const Result<FenceLook>& fence, std::string& why) {
    if (fence && fence->fenced == Truth::yes) {
        why = "fenced: " + fence->proof;
        return Truth::yes;
    }
    if (server && server->primary == Truth::no) {
        why = "it answers as a standby";
        return Truth::yes;
    }
    if (server && server->primary == Truth::yes) {
        why = "it is a primary and not fenced";
        return Truth::no;
    }
    why = fmt::format("nothing proves that it cannot write ({}; fence: {})",
                      server ? server->says : server.error().message, fence ? fence->proof : fence.error().message);
    return Truth::unknown;
}

LossBound bound_loss(const std::optional<LagSample>& sample, const DatabaseLook& standby, Moment until, Moment now,
                     Span sample_age_max) {
    LossBound bound;
    if (!sample || !sample->acknowledged) {
        bound.says = "the observer has no sample of the primary: start `kedge watch` before it is needed";
        return bound;
    }
    if (now - sample->at > sample_age_max) {
        bound.says = fmt::format("the observer's last sample is {} old, more than {}", readable(now - sample->at),
                                 readable(sample_age_max));
        return bound;
    }
    if (!standby.heartbeat) {
        bound.says = "no heartbeat is visible on the standby";
        return bound;
    }
    // Nothing was observed later than now, and the primary acknowledged nothing after its end.
    const Span ahead = std::max(sample->at - now, sample->acknowledged->written - until);
    if (ahead > clocks_differ_at_most) {
        bound.says =
            fmt::format("the observer's clock is {} ahead of the controller's: compare the clocks", readable(ahead));
        return bound;
    }
    bound.known = Truth::yes;
    bound.heartbeats = std::max<std::int64_t>(0, sample->acknowledged->sequence - standby.heartbeat->sequence);
    bound.seconds = std::max<Span>(Span{0}, until + clocks_differ_at_most - standby.heartbeat->written);
    bound.says =
        fmt::format("at most {} of acknowledged writes would be lost ({} heartbeats behind the last acknowledged)",
                    readable(bound.seconds), bound.heartbeats);
    return bound;
}

}  // namespace kedge
