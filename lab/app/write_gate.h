// Maintenance mode: whether writes may pass, must wait, or are turned away.
//
// Everything of this program that changes the database passes here, so that after `set` has returned with
// nothing running, no write of this instance can reach a database until the mode is lifted.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "base/result.h"
#include "config.h"

namespace kedge::lab {

// Any thread may call.
class WriteGate {
public:
    // `kept_in` is the file in which the mode survives a restart, or empty: a mode that ended with a crash
    // would reopen writes that somebody holds. The file's mode counts before `mode`.
    WriteGate(Maintenance mode, std::string kept_in);

    // Held by a write while it runs.
    class Pass {
    public:
        Pass(Pass&& other) noexcept;
        Pass& operator=(Pass&&) = delete;
        ~Pass();

    private:
        friend class WriteGate;
        explicit Pass(WriteGate& gate) : gate_(&gate) {}
        WriteGate* gate_;
    };
    // Waits while writes are held, at most `patience`. unavailable if they still are, or are refused.
    Result<Pass> enter(Span patience);

    // Sets the mode, then waits until the writes that had passed before are done, at most `patience`.
    Result<void> set(Maintenance mode, Span patience);
    Maintenance mode() const;
    int running() const;

private:
    const std::string kept_in_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Maintenance mode_;  // guarded by mutex_, as is running_
    int running_ = 0;
};

}  // namespace kedge::lab
