// Measurements and log lines that others collected. Reads only. Contracts as in database.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace kedge {

struct MetricSample {
    std::map<std::string, std::string> labels;
    double value = 0;  // never NaN: such samples are left out
    Moment time{};
};

class Metrics {
public:
    virtual ~Metrics() = default;
    // The instant result of a PromQL expression; empty when nothing matches.
    virtual Result<std::vector<MetricSample>> query(const std::string& expression, Moment deadline) = 0;
};

struct LogLine {
    Moment time{};
    std::string region;
    std::string text;
};

class Logs {
public:
    virtual ~Logs() = default;
    // The newest collected lines written by `region`, newest first, at most `count`.
    virtual Result<std::vector<LogLine>> newest(const std::string& region, int count, Moment deadline) = 0;
};

}  // namespace kedge
