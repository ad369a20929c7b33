// What Prometheus scrapes, in its text format 0.0.4.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "base/time.h"

namespace kedge::lab {

// Upper bounds in seconds; the last bucket has none.
inline constexpr std::array duration_bounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5};

// Any thread may call.
class RequestMetrics {
public:
    // `route` is a pattern such as "/api/debates/{id}": never what a client made up.
    void count(const std::string& method, const std::string& route, int status, Span took);
    // aragora_http_requests_total and aragora_http_request_duration_seconds; `labels` go on every line:
    // region="...",instance="..."
    std::string text(const std::string& labels) const;

    std::atomic<int> open_web_sockets{0};
    std::atomic<int> writes_waiting{0};

private:
    struct Durations {
        std::array<std::uint64_t, duration_bounds.size() + 1> buckets{};
        double sum = 0;
    };
    mutable std::mutex mutex_;
    std::map<std::string, std::uint64_t> totals_;  // by labels; guarded by mutex_
    std::map<std::string, Durations> durations_;   // by labels; guarded by mutex_
};

// One metric with one value. `kind` is counter or gauge.
std::string metric_text(const std::string& name, const std::string& kind, const std::string& help,
                        const std::string& labels, double value);

}  // namespace kedge::lab
