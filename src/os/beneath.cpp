#include "os/beneath.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace kedge {
namespace {

constexpr std::string_view unfinished_prefix = ".kedge-new-";
constexpr mode_t file_mode = 0600, directory_mode = 0700;

Error failed(const std::string& path, std::string_view what, int number) {
    Fault fault = Fault::unavailable;
    if (number == ENOENT) fault = Fault::not_found;
    if (number == EACCES || number == EPERM || number == EROFS) fault = Fault::not_allowed;
    if (number == ELOOP || number == ENOTDIR)
        return {Fault::refused, fmt::format("{}: a symbolic link or a file is in the way", path)};
    return {fault, fmt::format("{}: {}: {}", path, what, std::strerror(number))};
}

Result<void> write_and_sync(const Descriptor& file, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t written = write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed(path, "cannot write", errno);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fsync(file.get()) != 0) return failed(path, "cannot sync", errno);
    return {};
}

std::string unfinished_name() {
    static std::atomic<unsigned> count{0};
    return fmt::format("{}{}-{}", unfinished_prefix, getpid(), ++count);
}

}  // namespace

Result<std::vector<std::string>> parts_of_name(std::string_view name) {
    const auto refuse = [&](std::string_view why) {
        return Error{Fault::invalid_input, fmt::format("'{}' is no name of an object: {}", name, why)};
    };
    if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return refuse("it has a control character");
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= name.size();) {
        const std::size_t end = std::min(name.find('/', from), name.size());
        const std::string_view part = name.substr(from, end - from);
        if (part.empty() || part == "." || part == "..")
            return refuse("it has an empty part, or one that leads elsewhere");
        if (part.starts_with(unfinished_prefix)) return refuse("such names are kept for files being written");
        parts.emplace_back(part);
        from = end + 1;
    }
    return parts;
}

bool is_unfinished(std::string_view name) {
    return name.substr(name.rfind('/') + 1).starts_with(unfinished_prefix);
}

Result<Beneath> Beneath::open(const std::string& directory) {
    Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.is_open()) return failed(directory, "cannot open the directory", errno);
    return Beneath(directory, std::move(opened));
}

Result<Descriptor> Beneath::parent_of(const std::vector<std::string>& parts, Missing missing) const {
    Descriptor here(fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
    std::string path = path_;
    for (auto part = parts.begin(); part + 1 < parts.end(); ++part) {
        path += "/" + *part;
        if (missing == Missing::make && mkdirat(here.get(), part->c_str(), directory_mode) == 0) {
            if (fsync(here.get()) != 0) return failed(path, "cannot sync the directory above it", errno);
        } else if (missing == Missing::make && errno != EEXIST) {
            return failed(path, "cannot make the directory", errno);
        }
        Descriptor next(openat(here.get(), part->c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next.is_open()) return failed(path, "cannot open the directory", errno);
        here = std::move(next);
    }
    if (!here.is_open()) return failed(path, "cannot open the directory", errno);
    return here;
}

Result<std::string> Beneath::read(const std::string& name, std::uint64_t bytes_max) const {
    const std::vector<std::string> parts = TRY(parts_of_name(name));
    const std::string path = path_ + "/" + name;
    const Descriptor parent = TRY(parent_of(parts, Missing::fail));
    // Non-blocking, so that a named pipe in the place of a file is refused below and not waited for.
    const Descriptor file(openat(parent.get(), parts.back().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.is_open()) return failed(path, "cannot open", errno);
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return failed(path, "cannot look at it", errno);
    if (!S_ISREG(status.st_mode)) return Error{Fault::refused, fmt::format("{}: not a regular file", path)};
    std::string content;
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(path, "cannot read", errno);
        if (got == 0) return content;
        content.append(buffer.data(), static_cast<std::size_t>(got));
        if (content.size() > bytes_max)
            return Error{Fault::invalid_input, fmt::format("{}: it has more than {} bytes", path, bytes_max)};
    }
}

Result<void> Beneath::create(const std::string& name, std::string_view content) const {
    const std::vector<std::string> parts = TRY(parts_of_name(name));
    const std::string path = path_ + "/" + name;
    const Descriptor parent = TRY(parent_of(parts, Missing::make));
    const std::string unfinished = unfinished_name();
    unlinkat(parent.get(), unfinished.c_str(), 0);  // of a process with our pid that died
    const Descriptor file(
        openat(parent.get(), unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file_mode));
    if (!file.is_open()) return failed(path, "cannot create", errno);
    Result<void> made = write_and_sync(file, content, path);
    // A link is made only where nothing has the name; a rename would replace what another put there meanwhile.
    if (made && linkat(parent.get(), unfinished.c_str(), parent.get(), parts.back().c_str(), 0) != 0)
        made = errno == EEXIST ? Error{Fault::conflict, fmt::format("{}: there is something already", path)}
                               : failed(path, "cannot give it its name", errno);
    unlinkat(parent.get(), unfinished.c_str(), 0);
    if (made && fsync(parent.get()) != 0)
        made = Error{Fault::outcome_unknown, fmt::format("{}: cannot sync its directory", path)};
    return made;
}

}  // namespace kedge
