#include "verify/restore/workplace.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "os/files.h"
#include "verify/figures.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view lock_suffix = ".lock";

Error failed(const std::string& path, int error) {
    return {Fault::unavailable, fmt::format("{}: {}", path, std::strerror(error))};
}

}  // namespace

Result<void> need_space(const std::string& place, std::uint64_t bytes) {
    struct statvfs space {};
    if (statvfs(place.c_str(), &space) != 0) return failed(place, errno);
    const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (free_bytes >= bytes) return {};
    return Error{Fault::unavailable,
                 fmt::format("{}: {} are free, {} may be needed", place, sized(free_bytes), sized(bytes)),
                 "make room there, or name another place"};
}

Result<void> prepare_place(const std::string& place, std::uint64_t bytes_needed) {
    TRY(make_directories(place, 0711));
    struct stat status {};
    if (lstat(place.c_str(), &status) != 0) return failed(place, errno);
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return Error{Fault::refused, place + " is not a directory of our own"};
    return need_space(place, bytes_needed);
}

Result<Workplace> Workplace::open(const std::string& place, std::uint64_t bytes_needed,
                                  const std::optional<Login>& owner) {
    static std::atomic<unsigned> counter = 0;
    TRY(prepare_place(place, 0));
    TRY(clear_left_workplaces(place));
    TRY(need_space(place, bytes_needed));
    const std::string path = fmt::format("{}/{}-{}", place, getpid(), ++counter);
    std::optional<LockFile> lock = TRY(LockFile::try_acquire(path + std::string(lock_suffix)));
    if (!lock) return Error{Fault::conflict, path + " is in use"};
    if (mkdir(path.c_str(), 0700) != 0) return failed(path, errno);
    Workplace made(path, std::move(*lock));
    if (owner && geteuid() == 0 && chown(path.c_str(), owner->uid, owner->gid) != 0) return failed(path, errno);
    return made;
}

Workplace::~Workplace() {
    if (!lock_) return;
    // What cannot be removed now, the next one removes: the lock is free then.
    if (!remove_tree(path_)) return;
    lock_->remove();
    rmdir(fs::path(path_).parent_path().c_str());  // fails while another works there, which is as it should be
}

Result<std::size_t> clear_left_workplaces(const std::string& place) {
    std::size_t cleared = 0;
    std::error_code code;
    for (fs::directory_iterator entry(place, code); !code && entry != fs::directory_iterator(); entry.increment(code)) {
        const std::string lock_path = entry->path();
        if (!lock_path.ends_with(lock_suffix)) continue;
        std::optional<LockFile> lock = TRY(LockFile::try_acquire(lock_path));
        if (!lock) continue;  // somebody works there
        TRY(remove_tree(lock_path.substr(0, lock_path.size() - lock_suffix.size())));
        lock->remove();
        ++cleared;
    }
    return cleared;
}

std::string usual_workplace() {
    return fmt::format("/var/tmp/kedge-verify-{}", geteuid());
}

}  // namespace kedge::verify
