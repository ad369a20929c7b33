#include "os/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace kedge {
namespace {

Error lock_error(std::string_view path, std::string_view what, int number) {
    const Fault fault =
        number == EACCES || number == EPERM || number == EROFS ? Fault::not_allowed : Fault::unavailable;
    return {fault, fmt::format("{}: {}: {}", path, what, std::strerror(number))};
}

struct flock whole_file() {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;  // from 0 with length 0: all of it
    return range;
}

}  // namespace

Result<std::optional<LockFile>> LockFile::try_acquire(const std::string& path) {
    for (;;) {
        Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
        if (!file.is_open()) return lock_error(path, "cannot open", errno);
        struct flock range = whole_file();
        if (fcntl(file.get(), F_OFD_SETLK, &range) != 0) {
            if (errno == EAGAIN || errno == EACCES) return std::optional<LockFile>();
            return lock_error(path, "cannot lock", errno);
        }
        // Whoever held it may have removed it meanwhile, and a file without a name excludes nobody.
        struct stat status {};
        if (fstat(file.get(), &status) != 0) return lock_error(path, "cannot look at it", errno);
        if (file_identity(path) == FileIdentity{status.st_dev, status.st_ino})
            return std::optional<LockFile>(LockFile(path, std::move(file)));
    }
}

Result<bool> LockFile::is_held(const std::string& path) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.is_open() && errno == ENOENT) return false;
    if (!file.is_open()) return lock_error(path, "cannot open", errno);
    struct flock range = whole_file();
    if (fcntl(file.get(), F_OFD_GETLK, &range) != 0) return lock_error(path, "cannot look at its lock", errno);
    return range.l_type != F_UNLCK;
}

Result<std::optional<std::string>> LockFile::read_note(const std::string& path) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.is_open() && errno == ENOENT) return std::optional<std::string>();
    if (!file.is_open()) return lock_error(path, "cannot open", errno);
    std::array<char, lock_note_bytes_max> note{};
    const ssize_t got = pread(file.get(), note.data(), note.size(), 0);
    if (got < 0) return lock_error(path, "cannot read", errno);
    if (got == 0) return std::optional<std::string>();
    return std::optional<std::string>(std::string(note.data(), static_cast<std::size_t>(got)));
}

Result<void> LockFile::write_note(std::string_view note) {
    check(note.size() <= lock_note_bytes_max, "a note fits its limit");
    const ssize_t written = pwrite(file_.get(), note.data(), note.size(), 0);
    if (written != static_cast<ssize_t>(note.size()))
        return lock_error(path_, "cannot write", written < 0 ? errno : ENOSPC);
    if (ftruncate(file_.get(), written) != 0) return lock_error(path_, "cannot write", errno);
    return {};
}

void LockFile::remove() {
    unlink(path_.c_str());
}

std::optional<FileIdentity> file_identity(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

}  // namespace kedge
