// A rejoin that runs beside everything else: at most one for a server at a time.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "targets/postgres/rejoin_work.h"

namespace kedge {

// Any thread may call.
class Rejoin {
public:
    // Ends the one that runs and waits for it; it can be started again afterwards.
    ~Rejoin();

    // Checks, then starts the work and returns. Asking again for the one that runs changes nothing; conflict for
    // another one. `own` and `primary` outlive this.
    Result<void> start(HostServer& own, HostServer& primary, RejoinBy by, Moment deadline);
    // In words, while it runs.
    std::optional<std::string> progress() const;
    // Why the last one failed, until the next is started.
    std::optional<std::string> failure() const;

private:
    mutable std::mutex mutex_;
    std::optional<std::string> progress_, failure_;  // guarded by mutex_
    const HostServer* primary_ = nullptr;            // of the one that runs; guarded by mutex_
    std::jthread thread_;                            // guarded by mutex_; last, so that it ends before the rest
};

}  // namespace kedge
