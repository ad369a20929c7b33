#include "os/line_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/clock.h"

namespace kedge {
namespace {

constexpr Span lock_interval = std::chrono::milliseconds{5};

Error line_file_failed(Fault fault, std::string_view path, std::string_view what, int number) {
    if (number == ENOENT || number == ENOTDIR) fault = Fault::not_found;
    if (number == EACCES || number == EPERM || number == EROFS) fault = Fault::not_allowed;
    return {fault, fmt::format("{}: {}: {}", path, what, std::strerror(number))};
}

// At most `count` bytes from `offset`; fewer only at the end of the file.
Result<std::string> read_at(const Descriptor& file, const std::string& path, off_t offset, std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const ssize_t got = pread(file.get(), bytes.data() + have, count - have, offset + static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return line_file_failed(Fault::unavailable, path, "cannot read", errno);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

// The size of a regular file.
Result<std::size_t> size_of(const Descriptor& file, const std::string& path) {
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return line_file_failed(Fault::unavailable, path, "cannot look at it", errno);
    if (!S_ISREG(status.st_mode)) return Error{Fault::refused, fmt::format("{}: not a regular file", path)};
    return static_cast<std::size_t>(status.st_size);
}

Result<void> sync_parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    const Descriptor directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open() || fsync(directory.get()) != 0)
        return line_file_failed(Fault::unavailable, parent, "cannot sync the directory", errno);
    return {};
}

}  // namespace

Result<LineFile> LineFile::open(const std::string& path, const Until& until) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!file.is_open()) return line_file_failed(Fault::unavailable, path, "cannot open", errno);
    if (TRY(size_of(file, path)) == 0) TRY(sync_parent(path));
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    while (fcntl(file.get(), F_OFD_SETLK, &range) != 0) {
        if (errno != EAGAIN && errno != EACCES) return line_file_failed(Fault::unavailable, path, "cannot lock", errno);
        const Moment next = std::min(SystemClock{}.now() + lock_interval, until.deadline);
        if (!wait_out({next, until.stop}) || SystemClock{}.now() >= until.deadline)
            return Error{Fault::unavailable, fmt::format("{}: another process holds it", path)};
    }
    return LineFile(path, std::move(file));
}

Result<std::string> LineFile::content(std::size_t bytes_max) const {
    const std::size_t size = TRY(size_of(file_, path_));
    if (size > bytes_max) return Error{Fault::refused, fmt::format("{}: larger than {} bytes", path_, bytes_max)};
    return read_at(file_, path_, 0, size);
}

Result<void> LineFile::append(std::string_view line) {
    const std::size_t size = TRY(size_of(file_, path_));
    const std::string last = size == 0 ? "\n" : TRY(read_at(file_, path_, static_cast<off_t>(size) - 1, 1));
    std::string text = last == "\n" ? "" : "\n";
    text += line;
    text += '\n';
    const ssize_t written = write(file_.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) {
        const int number = written < 0 ? errno : ENOSPC;
        // What was written of it is taken back; where that fails, a line without its end is left.
        if (ftruncate(file_.get(), static_cast<off_t>(size)) != 0)
            return line_file_failed(Fault::outcome_unknown, path_, "cannot append", number);
        return line_file_failed(Fault::unavailable, path_, "cannot append", number);
    }
    if (fsync(file_.get()) != 0) return line_file_failed(Fault::outcome_unknown, path_, "cannot sync", errno);
    return {};
}

Result<LastLines> read_last_lines(const std::string& path, std::size_t bytes) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!file.is_open()) return line_file_failed(Fault::unavailable, path, "cannot open", errno);
    const std::size_t size = TRY(size_of(file, path));
    const std::size_t from = size - std::min(size, bytes);
    std::string text = TRY(read_at(file, path, static_cast<off_t>(from), size - from));
    text.erase(text.rfind('\n') + 1);  // nothing found: all of it goes
    if (from > 0) text.erase(0, text.find('\n') + 1);
    return LastLines{std::move(text), from == 0};
}

}  // namespace kedge
