// One stream of numbered rows: a new number at each tick, tried once, noted with its outcome.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "config.h"
#include "event_log.h"
#include "sink.h"

namespace kedge::lab {

class StreamWriter {
public:
    // Starts writing at once, from `first_sequence` on. `log` must outlive this.
    StreamWriter(const StreamOptions& options, std::unique_ptr<Sink> sink, std::int64_t first_sequence, EventLog& log);
    // Starts no further attempt and waits for those in flight, each bounded by its deadline.
    ~StreamWriter();

    // Ticks at which every worker was busy, so that no attempt was made and no number used.
    std::int64_t skipped() const { return skipped_; }

private:
    void pace(const std::stop_token& stop);
    void work(int worker, const std::stop_token& stop);

    const StreamOptions options_;
    const std::unique_ptr<Sink> sink_;
    EventLog& log_;
    std::int64_t next_sequence_;  // the pacing thread's own
    std::atomic<std::int64_t> skipped_{0};
    std::mutex mutex_;
    std::condition_variable_any queued_;
    std::deque<std::int64_t> queue_;  // guarded by mutex_, as is busy_
    int busy_ = 0;
    std::vector<std::jthread> workers_;
    std::jthread pacer_;
};

}  // namespace kedge::lab
