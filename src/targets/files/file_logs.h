// The driver `file` of logs: files that a collector gathered, by region; one JSON object a line with the time in `ts`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "targets/metrics.h"

namespace kedge {

// Reads only the end of each file. Any thread may call.
class FileLogs final : public Logs {
public:
    // Paths by region; the last component may hold one `*`. invalid_input for one that is not absolute.
    static Result<std::unique_ptr<FileLogs>> create(std::string name,
                                                    std::map<std::string, std::vector<std::string>> paths);

    // A line that is no JSON or has no readable time is passed over. not_found for an unknown region.
    Result<std::vector<LogLine>> newest(const std::string& region, int count, Moment deadline) override;

private:
    FileLogs(std::string name, std::map<std::string, std::vector<std::string>> paths)
        : name_(std::move(name)), paths_(std::move(paths)) {}

    const std::string name_;
    const std::map<std::string, std::vector<std::string>> paths_;
};

}  // namespace kedge
