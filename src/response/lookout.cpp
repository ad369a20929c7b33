#include "response/lookout.h"

#include <fmt/format.h>

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span observer_period = 1s;

}  // namespace

void Streams::take(const Observation& seen) {
    if (!seen.sample.acknowledged || seen.sample.primary.empty()) return;
    for (const auto& [region, look] : seen.sample.sites) {
        if (region == seen.sample.primary) continue;
        Stream& stream = streams_[{seen.database, region}];
        const std::int64_t acknowledged = seen.sample.acknowledged->sequence;
        const bool goes_on = acknowledged > stream.acknowledged;
        // A standby that does not answer may well follow: nobody knows.
        if (look.heartbeat && goes_on)
            stream.stands_still = look.heartbeat->sequence > stream.replayed ? 0 : stream.stands_still + 1;
        if (look.heartbeat) stream.replayed = look.heartbeat->sequence;
        stream.acknowledged = acknowledged;
    }
}

std::optional<std::string> Streams::separated() const {
    for (const auto& [of, stream] : streams_)
        if (stream.stands_still >= patience)
            return fmt::format("{} in {} stands still while its primary takes writes, {} looks in a row", of.first,
                               of.second, stream.stands_still);
    return std::nullopt;
}

Lookout::Lookout(Observer& observer)
    : thread_([this, &observer](const std::stop_token& stop) { look_out(observer, stop); }) {}

void Lookout::look_out(Observer& observer, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto next = std::chrono::steady_clock::now() + observer_period;
        const std::vector<Observation> all = observer.pass(observer_period - 100ms);
        std::unique_lock lock(mutex_);
        for (const Observation& seen : all) {
            if (seen.writers.size() > 1) second_writers_.insert(seen.trouble);
            streams_.take(seen);
        }
        wake_.wait_until(lock, stop, next, [] { return false; });
    }
}

std::set<std::string> Lookout::second_writers() const {
    const std::lock_guard lock(mutex_);
    return second_writers_;
}

std::optional<std::string> Lookout::separated() const {
    const std::lock_guard lock(mutex_);
    return streams_.separated();
}

}  // namespace kedge
