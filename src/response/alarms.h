// Who was told of a scheduled plan that failed or did not run, and whether the alarm is still open: one line for each
// notice, in a file of the state directory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "response/schedule.h"
#include "targets/targets.h"

namespace kedge {

// What became of one notice to one channel.
struct Delivery {
    std::string channel;
    bool handed_over = false;
    std::string says;  // "posted", or why it was not handed over
};

// Any process may use the same file.
class Alarms {
public:
    explicit Alarms(std::string path) : path_(std::move(path)) {}

    // Tells every channel what `look` demands: that the plan failed or is overdue, once for each failure; or that it is
    // well again, where it was told of a failure before. Channels that could not be told are told the next time. All
    // are tried, whatever happens with the others. An error means that the file could not be read or written.
    Result<std::vector<Delivery>> tell(const std::string& estate, const Schedule& schedule, const ScheduleLook& look,
                                       const std::vector<std::string>& channels, const Targets& targets, Moment now);

    // The last line of the plan for each channel: `channel`, `at`, `key`, `over`, `delivery`, `delivered`, `tries`.
    Result<std::vector<Json>> newest(const std::string& plan) const;

private:
    Result<void> note(const Json& line, Moment deadline) const;

    const std::string path_;
};

// What people are told; nothing where there is nothing to tell. Pure.
std::optional<Notice> notice_of(const std::string& estate, const Schedule& schedule, const ScheduleLook& look,
                                Moment now);

}  // namespace kedge
