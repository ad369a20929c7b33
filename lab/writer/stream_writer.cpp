#include "stream_writer.h"

#include "os/clock.h"
#include "os/wait.h"

namespace kedge::lab {

StreamWriter::StreamWriter(const StreamOptions& options, std::unique_ptr<Sink> sink, std::int64_t first_sequence,
                           EventLog& log)
    : options_(options), sink_(std::move(sink)), log_(log), next_sequence_(first_sequence) {
    for (int i = 0; i < options_.in_flight_max(); ++i)
        workers_.emplace_back([this, i](const std::stop_token& stop) { work(i, stop); });
    pacer_ = std::jthread{[this](const std::stop_token& stop) { pace(stop); }};
}

StreamWriter::~StreamWriter() {
    pacer_.request_stop();
    pacer_.join();
    for (auto& worker : workers_) worker.request_stop();
}

void StreamWriter::pace(const std::stop_token& stop) {
    const SystemClock clock;
    Moment tick = clock.now();
    while (wait_out(Until{tick, stop}) && !stop.stop_requested()) {
        {
            const std::lock_guard lock{mutex_};
            if (busy_ + static_cast<int>(queue_.size()) < options_.in_flight_max())
                queue_.push_back(next_sequence_++);
            else
                ++skipped_;
        }
        queued_.notify_one();
        // After a stall of this process ticks that passed are not made up for: a burst would measure nothing.
        tick = std::max(tick + options_.interval, clock.now());
    }
}

void StreamWriter::work(int worker, const std::stop_token& stop) {
    const SystemClock clock;
    std::unique_lock lock{mutex_};
    while (queued_.wait(lock, stop, [this] { return !queue_.empty(); })) {
        Attempt attempt{.sequence = queue_.front()};
        queue_.pop_front();
        ++busy_;
        lock.unlock();
        attempt.sent = clock.now();
        const auto region = sink_->write(worker, options_.name, attempt.sequence, attempt.sent + options_.deadline);
        attempt.done = clock.now();
        attempt.acknowledged = region.has_value();
        if (region)
            attempt.region = *region;
        else
            attempt.error = region.error().message;
        log_.note(options_.name, attempt);
        lock.lock();
        --busy_;
    }
}

}  // namespace kedge::lab
