// The driver `prometheus`: instant queries through its HTTP API (Prometheus 2.42, /api/v1/query).
#pragma once

#include <memory>
#include <string>

#include "targets/metrics.h"

namespace kedge {

// Any thread may call: every query has a connection of its own.
class PrometheusMetrics final : public Metrics {
public:
    // invalid_input for a URL that is none. `name` is the target's, for messages.
    static Result<std::unique_ptr<PrometheusMetrics>> create(std::string name, const std::string& url);

    // A sample whose value is no number (NaN, as of 0/0) is left out; infinities stay.
    Result<std::vector<MetricSample>> query(const std::string& expression, Moment deadline) override;

private:
    PrometheusMetrics(std::string name, std::string url) : name_(std::move(name)), url_(std::move(url)) {}

    const std::string name_, url_;
};

// What Prometheus answered, as samples; corrupt if it is not an instant vector or scalar. Pure.
Result<std::vector<MetricSample>> parse_instant_result(const std::string& body);

}  // namespace kedge
