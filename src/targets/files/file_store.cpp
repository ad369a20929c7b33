#include "targets/files/file_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "os/beneath.h"
#include "os/clock.h"
#include "os/files.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;

Moment moment_of(fs::file_time_type time) {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::file_clock::to_sys(time));
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::create(std::string name, std::string directory) {
    if (!directory.starts_with("/"))
        return Error{Fault::invalid_input, fmt::format("store {}: '{}' is not an absolute path", name, directory)};
    return std::unique_ptr<FileStore>(new FileStore(std::move(name), std::move(directory)));
}

Result<std::vector<StoredObject>> FileStore::list(const std::string& prefix, Moment deadline) {
    std::vector<StoredObject> objects;
    std::error_code error;
    const SystemClock clock;
    fs::recursive_directory_iterator at(directory_, fs::directory_options::none, error);
    if (error == std::errc::no_such_file_or_directory)
        return Error{Fault::not_found, fmt::format("store {}: there is no directory {}", name_, directory_)};
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        if (clock.now() > deadline)
            return Error{Fault::unavailable, fmt::format("store {}: listing it took too long", name_)};
        std::error_code gone;  // a file may go while it is looked at: then it is not there
        if (!fs::is_regular_file(at->symlink_status(gone)) || gone) continue;
        std::string name = fs::path(at->path()).lexically_relative(directory_).generic_string();
        if (!name.starts_with(prefix) || is_unfinished(name)) continue;
        const std::uint64_t bytes = at->file_size(gone);
        const fs::file_time_type time = at->last_write_time(gone);
        if (!gone) objects.push_back({std::move(name), bytes, moment_of(time)});
    }
    if (error) return Error{Fault::unavailable, fmt::format("store {}: {}: {}", name_, directory_, error.message())};
    std::sort(objects.begin(), objects.end(),
              [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
    return objects;
}

Result<std::string> FileStore::read(const std::string& name, std::uint64_t bytes_max, Moment) {
    return TRY(Beneath::open(directory_).within("store " + name_)).read(name, bytes_max).within("store " + name_);
}

Result<void> FileStore::write(const std::string& name, const std::string& content, Moment) {
    TRY(make_directories(directory_).within("store " + name_));
    const Beneath directory = TRY(Beneath::open(directory_).within("store " + name_));
    Result<void> written = directory.create(name, content);
    if (written || written.error().fault != Fault::conflict) return std::move(written).within("store " + name_);
    const Result<std::string> there = directory.read(name, content.size());
    if (there && *there == content) return {};
    return Error{Fault::conflict, fmt::format("store {}: {} is there with other content", name_, name)};
}

}  // namespace kedge
