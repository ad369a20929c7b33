#include "request_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace kedge::lab {
namespace {

constexpr std::int64_t bytes_max = 64 * 1024 * 1024;  // then one older file is kept beside

Descriptor open_for_append(const std::string& path) {
    return Descriptor{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
}

}  // namespace

Result<RequestLog> RequestLog::open(const std::string& path) {
    Descriptor file = open_for_append(path);
    if (!file.is_open()) return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    return RequestLog{path, std::move(file)};
}

RequestLog::RequestLog(RequestLog&& other) noexcept : path_(std::move(other.path_)), file_(std::move(other.file_)) {}

void RequestLog::start_anew_if_large() {
    if (bytes_written_ < bytes_max) return;
    std::rename(path_.c_str(), (path_ + ".1").c_str());
    Descriptor anew = open_for_append(path_);
    if (anew.is_open()) file_ = std::move(anew);
    bytes_written_ = 0;
}

void RequestLog::write(const Json& entry) {
    const std::string line = dump(entry) + "\n";
    const std::lock_guard lock{mutex_};
    start_anew_if_large();
    const ssize_t size = ::write(file_.get(), line.data(), line.size());
    if (size > 0) bytes_written_ += size;
}

}  // namespace kedge::lab
