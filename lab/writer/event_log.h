// Where attempts are noted: a file, and standard output for whoever follows.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "os/descriptor.h"
#include "response/heartbeats.h"

namespace kedge::lab {

inline constexpr std::size_t log_bytes_max = std::size_t{1} << 30;  // a longer one is not read

// Any thread may call.
class EventLog {
public:
    // Opens `path` for appending, creating it if absent, and ends a line that was cut short by a crash.
    static Result<EventLog> open(const std::string& path);
    EventLog(EventLog&& other) noexcept;

    // Appends the attempt to the file, then prints it. A reader of standard output that does not keep up
    // loses lines, never the writer time; the file holds every attempt.
    void note(const std::string& stream, const Attempt& attempt);

private:
    explicit EventLog(Descriptor file) : file_(std::move(file)) {}

    std::mutex mutex_;
    Descriptor file_;  // guarded by mutex_
};

// For each stream the first number that no earlier run can have used: what was in flight when a run was
// killed is in no log, so some are left out.
std::map<std::string, std::int64_t> next_sequences(const std::string& path);

}  // namespace kedge::lab
