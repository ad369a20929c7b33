#include "targets/files/file_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "os/clock.h"
#include "os/files.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;

bool is_plain(const std::string& part) {
    return !part.empty() && part != "." && part != ".." && part.find('\0') == std::string::npos;
}

Moment moment_of(fs::file_time_type time) {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::file_clock::to_sys(time));
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::create(std::string name, std::string directory) {
    if (!directory.starts_with("/"))
        return Error{Fault::invalid_input, fmt::format("store {}: '{}' is not an absolute path", name, directory)};
    return std::unique_ptr<FileStore>(new FileStore(std::move(name), std::move(directory)));
}

// The path of an object, once no part of its name and no link on the way can lead out of the directory.
Result<std::string> FileStore::path_of(const std::string& object) const {
    const auto refuse = [&](std::string_view why) {
        return Error{Fault::invalid_input,
                     fmt::format("store {}: '{}' is no name of an object: {}", name_, object, why)};
    };
    fs::path path = directory_;
    std::size_t from = 0;
    while (true) {
        const std::size_t end = object.find('/', from);
        const std::string part = object.substr(from, end == std::string::npos ? end : end - from);
        if (!is_plain(part)) return refuse("it has an empty part, or one that leads elsewhere");
        path /= part;
        std::error_code error;
        if (fs::symlink_status(path, error).type() == fs::file_type::symlink)
            return refuse("a symbolic link is on the way");
        if (end == std::string::npos) return path.string();
        from = end + 1;
    }
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
        if (!name.starts_with(prefix)) continue;
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
    return read_file(TRY(path_of(name)), bytes_max).within("store " + name_);
}

Result<void> FileStore::write(const std::string& name, const std::string& content, Moment) {
    const std::string path = TRY(path_of(name));
    if (exists(path)) {
        const Result<std::string> there = read_file(path);
        if (there && *there == content) return {};
        return Error{Fault::conflict, fmt::format("store {}: {} is there with other content", name_, name)};
    }
    TRY(make_directories(fs::path(path).parent_path().string()).within("store " + name_));
    return write_file_atomically(path, content).within("store " + name_);
}

}  // namespace kedge
