// One JSON line a request, appended to a file: what a log collector would ship.
#pragma once

#include <mutex>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "os/descriptor.h"

namespace kedge::lab {

// Any thread may call.
class RequestLog {
public:
    static Result<RequestLog> open(const std::string& path);
    RequestLog(RequestLog&& other) noexcept;

    // One write(2), so that lines of several instances never mix. A full disk loses the line, not the request.
    void write(const Json& entry);

private:
    RequestLog(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
    void start_anew_if_large();

    std::string path_;
    std::mutex mutex_;
    Descriptor file_;                 // guarded by mutex_
    std::int64_t bytes_written_ = 0;  // guarded by mutex_
};

}  // namespace kedge::lab
