// Figures for Prometheus: the text format 0.0.4 (prometheus/docs, exposition_formats), written for the textfile
// collector of the node exporter and pushed to a Pushgateway.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/http_retry.h"

namespace kedge {

// One sample of a gauge. Base units, in the name: `_seconds`, `_bytes`.
struct Gauge {
    std::string name;  // [a-zA-Z_][a-zA-Z0-9_]*
    std::string help;
    std::map<std::string, std::string> labels;
    double value = 0;
};

// Samples of one name need not stand together. No time stamps: a Pushgateway refuses them.
std::string exposition(const std::vector<Gauge>& gauges);

// Replaces the file at once, readable by all: the collector never sees half of it. Its name must end in .prom.
Result<void> write_textfile(const std::string& path, const std::vector<Gauge>& gauges);

// Replaces the group of `job` and `grouping` as a whole, so that no figure of an earlier run stays behind. refused,
// with the gateway's reason, if it does not take them.
Result<void> push_to_gateway(const std::string& url, const std::string& job,
                             const std::map<std::string, std::string>& grouping, const std::vector<Gauge>& gauges,
                             const Until& until, const Retries& retries = {});

}  // namespace kedge
