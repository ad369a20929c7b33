// Metrics and logs: whether they flow from where they should, and whether a change made things worse.

#include <algorithm>
#include <optional>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

std::string in_region(std::string expression, const std::string& region) {
    constexpr std::string_view word = "{region}";
    for (std::size_t at = expression.find(word); at != std::string::npos;
         at = expression.find(word, at + region.size()))
        expression.replace(at, word.size(), region);
    return expression;
}

Result<std::optional<double>> single(Metrics& metrics, const std::string& expression, Moment deadline) {
    const std::vector<MetricSample> samples = TRY(metrics.query(expression, deadline));
    if (samples.empty()) return std::optional<double>{};
    return std::optional{samples.front().value};
}

// Whether the newest `what` of the region is new enough.
Look judge_age(const Call& call, const char* what, Moment newest, Json evidence) {
    const Span age = call.now - newest;
    evidence["age_seconds"] = seconds(age);
    if (age < -clocks_differ_at_most)
        return unclear(fmt::format("newest {} from {} is dated {} in the future: compare the clocks", what,
                                   call.text("region"), readable(-age)),
                       std::move(evidence));
    return condition(
        truth(age <= call.span("max-age")),
        fmt::format("newest {} from {} is {} old", what, call.text("region"), readable(std::max(age, Span{0}))),
        std::move(evidence));
}

Result<Look> look_metrics_fresh(const Call& call) {
    const Result<std::vector<MetricSample>> samples =
        TRY(call.metrics())->query(in_region(call.text("expression"), call.text("region")), call.deadline);
    if (!samples) return unclear(samples.error().message);
    if (samples->empty()) return condition(Truth::no, "no samples from " + call.text("region"));
    Moment newest{};
    for (const MetricSample& sample : *samples)
        newest = std::max(newest, Moment{std::chrono::microseconds{static_cast<std::int64_t>(sample.value * 1e6)}});
    return judge_age(call, "sample", newest, {{"series", samples->size()}});
}

Result<Look> look_no_worse(const Call& call) {
    Metrics* metrics = TRY(call.metrics());
    const std::string region = call.text("region"), baseline = call.text("baseline");
    const auto ask = [&](std::string_view what, const std::string& where) {
        return single(*metrics, in_region(call.text(what), where), call.deadline);
    };
    const std::optional<double> requests = TRY(ask("requests", region));
    if (!requests || *requests < static_cast<double>(call.integer("min-requests")))
        return unclear(fmt::format("{:.0f} requests in {}: fewer than the {} needed to judge", requests.value_or(0),
                                   region, call.integer("min-requests")));
    const std::optional<double> errors = TRY(ask("errors", region)), usual_errors = TRY(ask("errors", baseline));
    const std::optional<double> latency = TRY(ask("latency", region)), usual_latency = TRY(ask("latency", baseline));
    if (!latency) return unclear("no latency is known in " + region);
    // No error series at all means that no error was counted.
    // A baseline that is itself in trouble allows nothing: the caps hold whatever it says.
    const double error_limit =
        std::min(usual_errors.value_or(0) + call.number("more-errors"), call.number("max-errors"));
    const double latency_limit =
        std::min(usual_latency.value_or(0) * call.number("latency-factor") + seconds(call.span("more-latency")),
                 seconds(call.span("max-latency")));
    const bool ok = errors.value_or(0) <= error_limit && *latency <= latency_limit;
    return condition(truth(ok),
                     fmt::format("{}: {:.2f} % errors (limit {:.2f} %), latency {} (limit {}) over {:.0f} requests",
                                 region, errors.value_or(0) * 100, error_limit * 100,
                                 readable(Span{static_cast<std::int64_t>(*latency * 1e6)}),
                                 readable(Span{static_cast<std::int64_t>(latency_limit * 1e6)}), *requests),
                     {{"errors_ratio", errors.value_or(0)}, {"latency_seconds", *latency}, {"requests", *requests}});
}

Result<Look> look_logs_fresh(const Call& call) {
    const Result<std::vector<LogLine>> lines = TRY(call.logs())->newest(call.text("region"), 1, call.deadline);
    if (!lines) return unclear(lines.error().message);
    if (lines->empty()) return condition(Truth::no, "no line from " + call.text("region") + " was collected");
    return judge_age(call, "line", lines->front().time, Json::object());
}

}  // namespace

std::vector<Action> observation_actions() {
    using P = ParameterType;
    const Parameter region{"region", P::region, true, "", "where the samples must come from"};
    return {
        {{.name = "metrics.fresh",
          .on = TargetKind::metrics,
          .needs_region = false,
          .says = "new samples arrive from the region",
          .parameters = {region,
                         {"expression", P::text, false, "max by (region) (timestamp(up{region=\"{region}\"} == 1))",
                          "PromQL for the time of the newest sample; {region} is filled in"},
                         {"max-age", P::span, false, "15s", "oldest allowed"}},
          .by_hand = "max(timestamp(up{region=\"REGION\"} == 1))",
          .deadline = 60s,
          .call_limit = 3s},
         look_metrics_fresh},
        {{.name = "metrics.no-worse",
          .on = TargetKind::metrics,
          .needs_region = false,
          .says = "errors and latency are no worse than where the traffic came from, judged on enough requests",
          .parameters = {region,
                         {"baseline", P::region, true, "", "the region to compare with"},
                         {"requests", P::text, false,
                          "sum(increase(aragora_http_requests_total{region=\"{region}\"}[15s]))",
                          "PromQL: requests judged"},
                         {"errors", P::text, false,
                          "sum(rate(aragora_http_requests_total{region=\"{region}\",status=~\"5..\"}[15s])) / "
                          "sum(rate(aragora_http_requests_total{region=\"{region}\"}[15s]))",
                          "PromQL: share of errors, 0 to 1"},
                         {"latency", P::text, false,
                          "histogram_quantile(0.95, sum by (le) "
                          "(rate(aragora_http_request_duration_seconds_bucket{region=\"{region}\"}[15s])))",
                          "PromQL: seconds"},
                         {"min-requests", P::integer, false, "20", "fewer prove nothing"},
                         {"more-errors", P::number, false, "0.01", "allowed above the baseline, 0 to 1"},
                         {"latency-factor", P::number, false, "2", "allowed times the baseline"},
                         {"more-latency", P::span, false, "100ms", "and so much more"},
                         {"max-errors", P::number, false, "0.05", "more are never allowed, 0 to 1"},
                         {"max-latency", P::span, false, "2s", "more is never allowed"}},
          .danger = "The new region may serve users worse than the old one.",
          .by_hand = "compare error rate and latency of both regions on the dashboard",
          .deadline = 60s,
          .call_limit = 5s},
         look_no_worse},
        {{.name = "logs.fresh",
          .on = TargetKind::logs,
          .needs_region = false,
          .says = "new log lines arrive from the region",
          .parameters = {region, {"max-age", P::span, false, "15s", "oldest allowed"}},
          .by_hand = "search the log aggregator for lines of the last seconds from REGION",
          .deadline = 60s,
          .call_limit = 3s},
         look_logs_fresh},
    };
}

}  // namespace kedge
