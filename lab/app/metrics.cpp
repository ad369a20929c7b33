#include "metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::lab {

void RequestMetrics::count(const std::string& method, const std::string& route, int status, Span took) {
    const double duration = seconds(took);
    const std::string labels = fmt::format("method=\"{}\",route=\"{}\"", method, route);
    const auto bucket =
        static_cast<std::size_t>(std::ranges::lower_bound(duration_bounds, duration) - duration_bounds.begin());
    const std::lock_guard lock{mutex_};
    ++totals_[fmt::format("{},status=\"{}\"", labels, status)];
    Durations& durations = durations_[labels];
    ++durations.buckets[bucket];
    durations.sum += duration;
}

std::string RequestMetrics::text(const std::string& labels) const {
    const std::lock_guard lock{mutex_};
    std::string text =
        "# HELP aragora_http_requests_total Requests answered.\n"
        "# TYPE aragora_http_requests_total counter\n";
    for (const auto& [own, count] : totals_)
        text += fmt::format("aragora_http_requests_total{{{},{}}} {}\n", labels, own, count);
    text +=
        "# HELP aragora_http_request_duration_seconds Time from request to answer.\n"
        "# TYPE aragora_http_request_duration_seconds histogram\n";
    for (const auto& [own, durations] : durations_) {
        std::uint64_t cumulated = 0;
        for (std::size_t i = 0; i < durations.buckets.size(); ++i) {
            cumulated += durations.buckets[i];
            const std::string bound =
                i < duration_bounds.size() ? fmt::format("{}", duration_bounds.at(i)) : std::string("+Inf");
            text += fmt::format("aragora_http_request_duration_seconds_bucket{{{},{},le=\"{}\"}} {}\n", labels, own,
                                bound, cumulated);
        }
        text += fmt::format("aragora_http_request_duration_seconds_sum{{{},{}}} {}\n", labels, own, durations.sum);
        text += fmt::format("aragora_http_request_duration_seconds_count{{{},{}}} {}\n", labels, own, cumulated);
    }
    return text;
}

std::string metric_text(const std::string& name, const std::string& kind, const std::string& help,
                        const std::string& labels, double value) {
    return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0}{{{3}}} {4}\n", name, help, kind, labels, value);
}

}  // namespace kedge::lab
