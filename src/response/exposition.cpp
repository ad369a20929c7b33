#include "response/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "base/check.h"
#include "os/files.h"

namespace kedge {
namespace {

std::string escaped(std::string_view text, bool in_quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && in_quotes)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

bool is_metric_name(std::string_view name) {
    const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
           std::ranges::all_of(name, fits);
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

std::string sample(const Gauge& gauge) {
    std::vector<std::string> labels;
    for (const auto& [name, value] : gauge.labels) {
        check(is_metric_name(name), "labels are named by us");
        labels.push_back(fmt::format("{}=\"{}\"", name, escaped(value, true)));
    }
    const std::string all = labels.empty() ? "" : fmt::format("{{{}}}", fmt::join(labels, ","));
    return fmt::format("{}{} {}\n", gauge.name, all, number(gauge.value));
}

// A value in the gateway's path: in base64 where it could not stand as it is.
std::string path_label(const std::string& name, const std::string& value) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    };
    if (!value.empty() && std::ranges::all_of(value, plain)) return fmt::format("/{}/{}", name, value);
    std::string encoded = base64(value);
    std::ranges::replace(encoded, '+', '-');
    std::ranges::replace(encoded, '/', '_');
    return fmt::format("/{}@base64/{}", name, encoded.empty() ? "=" : encoded);
}

}  // namespace

std::string exposition(const std::vector<Gauge>& gauges) {
    std::string text;
    std::vector<std::string> written;
    for (const Gauge& first : gauges) {
        if (std::ranges::find(written, first.name) != written.end()) continue;
        check(is_metric_name(first.name), "metrics are named by us");
        written.push_back(first.name);
        text += fmt::format("# HELP {} {}\n# TYPE {} gauge\n", first.name, escaped(first.help, false), first.name);
        for (const Gauge& gauge : gauges)
            if (gauge.name == first.name) text += sample(gauge);
    }
    return text;
}

Result<void> write_textfile(const std::string& path, const std::vector<Gauge>& gauges) {
    if (!path.ends_with(".prom"))
        return Error{Fault::invalid_input, fmt::format("{}: the collector reads only files named *.prom", path)};
    return write_file_atomically(path, exposition(gauges), 0644, Durability::after_process_death);
}

Result<void> push_to_gateway(const std::string& url, const std::string& job,
                             const std::map<std::string, std::string>& grouping, const std::vector<Gauge>& gauges,
                             const Until& until, const Retries& retries) {
    std::string target = url;
    while (target.ends_with('/')) target.pop_back();
    target += "/metrics" + path_label("job", job);
    for (const auto& [name, value] : grouping) target += path_label(name, value);
    const FinalAnswer answer =
        TRY(http_request_until_answered({.method = "PUT",
                                         .target = target,
                                         .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                                         .body = exposition(gauges)},
                                        until, retries)
                .within("the Pushgateway"));
    if (answer.response.status == 200 || answer.response.status == 202) return {};
    return Error{Fault::refused, fmt::format("the Pushgateway at {} answered {}: {}", url, answer.response.status,
                                             answer.response.body.substr(0, 200))};
}

}  // namespace kedge
