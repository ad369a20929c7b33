// The driver `file` of logs: files that a collector gathered, by region; one JSON object a line with the time in `ts`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "targets/metrics.h"

namespace kedge {

// Reads each file from its end, and only as far as it must, at most 16 MiB. Lines of one file are taken to be in the
// order of time. Any thread may call.
class FileLogs final : public Logs {
public:
    // Paths by region; the last component may hold one `*`. invalid_input for one that is not absolute.
    static Result<std::unique_ptr<FileLogs>> create(std::string name,
                                                    std::map<std::string, std::vector<std::string>> paths);

    // A line that is no JSON or has no readable time, or names another region, is passed over. A file that is absent
    // has no lines. not_found for an unknown region.
    Result<std::vector<LogLine>> newest(const std::string& region, int count, Moment deadline) override;

private:
    FileLogs(std::string name, std::map<std::string, std::vector<std::string>> paths)
        : name_(std::move(name)), paths_(std::move(paths)) {}

    const std::string name_;
    const std::map<std::string, std::vector<std::string>> paths_;
};

}  // namespace kedge
