#include "targets/prometheus/prometheus_metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "base/json.h"
#include "os/http.h"

namespace kedge {
namespace {

// Form encoding of a query (RFC 3986, unreserved characters stay).
std::string encoded(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Moment moment_of(double unix_seconds) {
    return Moment{std::chrono::microseconds{static_cast<std::int64_t>(unix_seconds * 1e6)}};
}

Error malformed(std::string_view why) {
    return {Fault::corrupt, fmt::format("not the answer of an instant query: {}", why)};
}

// [ unix time, "value" ]; nothing for a value that is no number.
Result<std::optional<MetricSample>> read_pair(const Json& pair) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_string())
        return malformed("a value is not a pair");
    const std::string text = pair[1].get<std::string>();
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return malformed(fmt::format("'{}' is no value", text));
    if (std::isnan(value)) return std::optional<MetricSample>{};
    return std::optional{MetricSample{.value = value, .time = moment_of(pair[0].get<double>())}};
}

}  // namespace

Result<std::vector<MetricSample>> parse_instant_result(const std::string& body) {
    const Json json = TRY(parse_json(body));
    if (get_string(json, "status") != "success")
        return Error{Fault::refused, get_string(json, "error").value_or("it did not succeed")};
    const Json& data = get(json, "data");
    const Json& result = get(data, "result");
    const std::string type = get_string(data, "resultType").value_or("");
    std::vector<MetricSample> samples;
    if (type == "scalar") {
        if (auto sample = TRY(read_pair(result))) samples.push_back(*sample);
        return samples;
    }
    if (type != "vector" || !result.is_array()) return malformed(fmt::format("its type is '{}'", type));
    for (const Json& one : result) {
        auto sample = TRY(read_pair(get(one, "value")));
        if (!sample) continue;
        for (const auto& [label, value] : get(one, "metric").items())
            if (value.is_string()) sample->labels[label] = value.get<std::string>();
        samples.push_back(std::move(*sample));
    }
    return samples;
}

Result<std::unique_ptr<PrometheusMetrics>> PrometheusMetrics::create(std::string name, const std::string& url) {
    const Url parsed = TRY(parse_url(url).within("metrics " + name));
    return std::unique_ptr<PrometheusMetrics>(
        new PrometheusMetrics(std::move(name), fmt::format("{}://{}:{}", parsed.scheme, parsed.host, parsed.port)));
}

Result<std::vector<MetricSample>> PrometheusMetrics::query(const std::string& expression, Moment deadline) {
    const HttpResponse response =
        TRY(http_request({.target = url_ + "/api/v1/query?query=" + encoded(expression)}, deadline)
                .within("metrics " + name_));
    // 400 and 422 carry a JSON error that names what is wrong with the expression.
    if (response.status != 200 && response.status != 400 && response.status != 422)
        return Error{Fault::unavailable, fmt::format("metrics {}: Prometheus answered {}", name_, response.status)};
    return parse_instant_result(response.body).within("metrics " + name_);
}

}  // namespace kedge
