#include "targets/files/file_channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/json.h"
#include "os/descriptor.h"
#include "os/files.h"

namespace kedge {
namespace {

constexpr std::size_t file_max = 64u << 20;  // a channel of a file is for drills and small places

bool holds(const std::string& content, const std::string& key) {
    std::istringstream lines(content);
    for (std::string line; std::getline(lines, line);)
        if (const Result<Json> notice = parse_json(line); notice && get_string(*notice, "key") == key) return true;
    return false;
}

}  // namespace

Result<std::unique_ptr<FileChannel>> FileChannel::create(std::string name, std::string path) {
    if (!path.starts_with("/"))
        return Error{Fault::invalid_input, fmt::format("channel {}: '{}' is not an absolute path", name, path)};
    return std::unique_ptr<FileChannel>(new FileChannel(std::move(name), std::move(path)));
}

Result<Truth> FileChannel::delivered(const std::string& key, Moment) {
    const Result<std::string> content = read_file(path_, file_max);
    if (content) return truth(holds(*content, key));
    if (content.error().fault == Fault::not_found) return Truth::no;
    return content.error().within("channel " + name_);
}

Result<void> FileChannel::send(const Notice& notice, Moment deadline) {
    const auto failed = [&](Fault fault, std::string_view doing) {
        return Error{fault, fmt::format("channel {}: cannot {} {}: {}", name_, doing, path_, std::strerror(errno))};
    };
    TRY(make_directories(std::filesystem::path(path_).parent_path().string()).within("channel " + name_));
    const Descriptor file(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed(Fault::unavailable, "open");
    // Looking for the key and appending are one act among all who send here.
    if (::flock(file.get(), LOCK_EX) != 0) return failed(Fault::unavailable, "lock");
    if (TRY(delivered(notice.key, deadline)) == Truth::yes) return {};
    const std::string line = dump(Json{{"key", notice.key},
                                       {"at", to_string(notice.at)},
                                       {"severity", notice.severity},
                                       {"title", notice.title},
                                       {"text", notice.text}}) +
                             "\n";
    const ssize_t written = ::write(file.get(), line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) return failed(Fault::outcome_unknown, "append to");
    if (::fsync(file.get()) != 0) return failed(Fault::outcome_unknown, "sync");
    return {};
}

}  // namespace kedge
