#include "os/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <vector>

#include "os/process.h"

namespace kedge {
namespace {

Fault fault_of(int number) {
    if (number == ENOENT || number == ENOTDIR) return Fault::not_found;
    if (number == EACCES || number == EPERM) return Fault::not_allowed;
    return Fault::unavailable;
}
Error file_error(std::string_view path, std::string_view what, int number) {
    return {fault_of(number), fmt::format("{}: {}: {}", path, what, std::strerror(number))};
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_all(const Descriptor& file, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t written = write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return file_error(path, "cannot write", errno);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> write_new(const std::string& path, std::string_view content, mode_t mode, Durability durability) {
    const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.is_open()) return file_error(path, "cannot create", errno);
    TRY(write_all(file, content, path));
    if (durability == Durability::after_power_loss && fsync(file.get()) != 0)
        return file_error(path, "cannot sync", errno);
    return {};
}

// The new name itself is durable only with its directory.
Result<void> sync_directory(const std::string& directory) {
    const Descriptor parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent.is_open() || fsync(parent.get()) != 0)
        return Error{Fault::outcome_unknown, fmt::format("{}: cannot sync: {}", directory, std::strerror(errno))};
    return {};
}

// Disks that take milliseconds to forget a file take many at once: directories side by side are emptied side by side.
class Removal {
public:
    Result<void> empty(Descriptor file, dev_t device, const std::string& shown);

private:
    static constexpr int threads_max = 16;

    Result<std::vector<std::string>> names_in(int directory, const std::string& shown);
    Result<bool> remove_file(int directory, const std::string& name, dev_t device, const std::string& shown);
    Result<void> remove_directory(int parent, const std::string& name, dev_t device, const std::string& shown);

    std::atomic<int> threads_{1};
};

Result<std::vector<std::string>> Removal::names_in(int directory, const std::string& shown) {
    const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy < 0 ? nullptr : fdopendir(copy), closedir);
    if (!listing) return file_error(shown, "cannot list", errno);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = readdir(listing.get());
        if (entry == nullptr && errno != 0) return file_error(shown, "cannot list", errno);
        if (entry == nullptr) return names;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
}

// False if it is a directory.
Result<bool> Removal::remove_file(int directory, const std::string& name, dev_t device, const std::string& shown) {
    struct stat status {};
    if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return true;
        return file_error(shown, "cannot look at it", errno);
    }
    if (S_ISDIR(status.st_mode) && status.st_dev != device)
        return Error{Fault::refused, fmt::format("{}: another file system is mounted here", shown)};
    if (S_ISDIR(status.st_mode)) return false;
    if (unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) return file_error(shown, "cannot remove", errno);
    return true;
}

Result<void> Removal::remove_directory(int parent, const std::string& name, dev_t device, const std::string& shown) {
    Descriptor child(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.is_open()) return file_error(shown, "cannot open", errno);
    TRY(empty(std::move(child), device, shown));
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        return file_error(shown, "cannot remove", errno);
    return {};
}

// Empties the directory behind `file`. Depth is that of the tree on disk; each level holds one descriptor.
Result<void> Removal::empty(Descriptor file, dev_t device, const std::string& shown) {
    const int number = file.get();
    std::vector<std::future<Result<void>>> others;
    Result<void> first_error;
    const auto note = [&](Result<void> result) {
        if (first_error && !result) first_error = std::move(result);
    };
    for (const std::string& name : TRY(names_in(number, shown))) {
        const std::string inner = shown + "/" + name;
        const Result<bool> removed = remove_file(number, name, device, inner);
        if (!removed) note(removed.error());
        if (!removed || *removed) continue;
        if (threads_.fetch_add(1) < threads_max) {
            others.push_back(std::async(std::launch::async, [this, number, name, device, inner] {
                Result<void> done = remove_directory(number, name, device, inner);
                threads_.fetch_sub(1);
                return done;
            }));
        } else {
            threads_.fetch_sub(1);
            note(remove_directory(number, name, device, inner));
        }
    }
    for (auto& other : others) note(other.get());
    return first_error;
}

std::string absolute(const std::string& path) {
    if (path.starts_with('/')) return path;
    std::array<char, 4096> here{};
    if (getcwd(here.data(), here.size()) == nullptr) return path;
    return fmt::format("{}/{}", here.data(), path);
}

std::optional<std::string> environment(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    // Non-blocking, so that a named pipe in the place of a file is refused below and not waited for.
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) return file_error(path, "cannot open", errno);
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return file_error(path, "cannot look at it", errno);
    // Files of /proc are regular with length 0; the true length is what can be read.
    if (!S_ISREG(status.st_mode)) return Error{Fault::refused, fmt::format("{}: not a regular file", path)};
    std::string content;
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t got = read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_error(path, "cannot read", errno);
        if (got == 0) return content;
        content.append(buffer.data(), static_cast<std::size_t>(got));
        if (content.size() > bytes_max)
            return Error{Fault::refused, fmt::format("{}: larger than {} bytes", path, bytes_max)};
    }
}

Result<void> write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                                   Durability durability) {
    const std::string temporary = fmt::format("{}.new.{}", path, getpid());
    unlink(temporary.c_str());  // of a process with our pid that died
    Result<void> written = write_new(temporary, content, mode, durability);
    if (written && rename(temporary.c_str(), path.c_str()) != 0) written = file_error(path, "cannot replace", errno);
    if (!written) {
        unlink(temporary.c_str());
        return written;
    }
    if (durability == Durability::after_process_death) return {};
    return sync_directory(directory_of(path));
}

Result<void> rename_into_place(const std::string& from, const std::string& to) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST) return Error{Fault::conflict, fmt::format("{}: there is something already", to)};
        return file_error(from, "cannot rename it to " + to, errno);
    }
    return sync_directory(directory_of(to));
}

Result<void> copy_file(const std::string& from, const std::string& to, mode_t mode) {
    const Descriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!source.is_open()) return file_error(from, "cannot open", errno);
    const std::string temporary = fmt::format("{}.new.{}", to, getpid());
    unlink(temporary.c_str());
    const Descriptor target(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!target.is_open()) return file_error(temporary, "cannot create", errno);
    std::vector<char> buffer(1u << 20);
    Result<void> copied;
    while (copied) {
        const ssize_t got = read(source.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) copied = file_error(from, "cannot read", errno);
        if (got <= 0) break;
        copied = write_all(target, {buffer.data(), static_cast<std::size_t>(got)}, temporary);
    }
    if (copied && fsync(target.get()) != 0) copied = file_error(temporary, "cannot sync", errno);
    if (copied && rename(temporary.c_str(), to.c_str()) != 0) copied = file_error(to, "cannot replace", errno);
    if (!copied) {
        unlink(temporary.c_str());
        return copied;
    }
    return sync_directory(directory_of(to));
}

bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

Result<void> make_directories(const std::string& path, mode_t mode) {
    if (mkdir(path.c_str(), mode) == 0) return {};
    if (errno == ENOENT && directory_of(path) != path) {
        TRY(make_directories(directory_of(path), mode));
        if (mkdir(path.c_str(), mode) == 0) return {};
    }
    if (errno != EEXIST) return file_error(path, "cannot make the directory", errno);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return file_error(path, "cannot look at it", errno);
    if (!S_ISDIR(status.st_mode)) return Error{Fault::refused, fmt::format("{}: exists and is no directory", path)};
    return {};
}

Result<void> remove_tree(const std::string& path) {
    const std::size_t second = path.find_first_not_of('/', path.find('/', 1));
    if (!path.starts_with('/') || second == std::string::npos || path.find("/..") != std::string::npos)
        return Error{Fault::refused, fmt::format("'{}' will not be removed: not an absolute path of two parts", path)};
    Descriptor root(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root.is_open()) {
        if (errno == ENOENT) return {};
        return Error{errno == ELOOP || errno == ENOTDIR ? Fault::refused : fault_of(errno),
                     fmt::format("{}: will not be removed: {}", path, std::strerror(errno))};
    }
    struct stat status {};
    if (fstat(root.get(), &status) != 0) return file_error(path, "cannot look at it", errno);
    TRY(Removal().empty(std::move(root), status.st_dev, path));
    if (rmdir(path.c_str()) != 0 && errno != ENOENT) return file_error(path, "cannot remove", errno);
    return {};
}

Result<FileLock> FileLock::acquire(const std::string& path) {
    Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.is_open()) return file_error(path, "cannot open the lock", errno);
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return file_error(path, "cannot lock", errno);
        std::array<char, 16> holder{};
        const ssize_t got = pread(file.get(), holder.data(), holder.size() - 1, 0);
        return Error{Fault::conflict, fmt::format("{}: held by process {}", path,
                                                  got > 0 ? std::string(holder.data()) : std::string("(not noted)"))};
    }
    const std::string pid = std::to_string(getpid());
    if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
        return file_error(path, "cannot note the holder", errno);
    return FileLock(std::move(file));
}

Result<std::string> state_directory(const std::optional<std::string>& chosen) {
    if (chosen && chosen->empty()) return Error{Fault::invalid_input, "the state directory is an empty name"};
    if (chosen) return absolute(*chosen);
    if (const auto state = environment("KEDGE_STATE")) return absolute(*state);
    if (const auto state = environment("STATE_DIRECTORY")) return absolute(*state);
    if (const auto state = environment("XDG_STATE_HOME")) return absolute(*state) + "/kedge";
    if (const auto home = environment("HOME")) return absolute(*home) + "/.local/state/kedge";
    const Result<Login> caller = find_login(geteuid());
    if (caller && !caller->home.empty()) return caller->home + "/.local/state/kedge";
    return Error{Fault::not_found, "no state directory: neither --state nor KEDGE_STATE nor a home directory",
                 "give --state DIRECTORY"};
}

}  // namespace kedge
