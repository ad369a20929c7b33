// A line on the terminal that shows how far long work has come, and the eye on the person who interrupts it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "cli/context.h"
#include "verify/effort.h"

namespace kedge {

// As text: "/backup/dump.rdb  [████████░░░░] 61 %  1.2 GB/s  8 s left".
struct ProgressState {
    std::string what;
    std::uint64_t bytes_done = 0, bytes_all = 0;  // of all: 0 = not known
    Span elapsed{};
};
std::string progress_line(const ProgressState& state, const Surface& surface);

// From its making to its end, on a thread of its own: draws on the error stream if that is a terminal, nobody asked for
// quiet and the work takes longer than a second; stops the effort when the person interrupts. While it lives nobody
// else writes to the error stream.
class Progress {
public:
    Progress(Context& context, verify::Effort& effort);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // The next piece of work, of so many bytes as `effort` counts them.
    void begin(const std::string& what, std::uint64_t bytes);
    // Requested when the person interrupts.
    std::stop_token stop_token() const { return interrupt_.get_token(); }

private:
    void serve(const std::stop_token& stop);

    Context& context_;
    verify::Effort& effort_;
    const bool draws_;
    std::mutex mutex_;
    ProgressState state_;             // guarded by the mutex
    std::uint64_t bytes_before_ = 0;  // guarded by the mutex: what the effort had counted at `begin`
    Moment begun_{};                  // guarded by the mutex
    std::stop_source interrupt_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace kedge
