#include "verify/files/file_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kedge::verify {
namespace {

Error system_error(const std::string& path, int error) {
    const Fault fault = error == ENOENT || error == ENOTDIR ? Fault::not_found
                        : error == EACCES || error == EPERM ? Fault::not_allowed
                                                            : Fault::unavailable;
    return {fault, fmt::format("{}: {}", path, std::strerror(error))};
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path, Effort& effort) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.is_open()) return system_error(path, errno);
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return system_error(path, errno);
    if (!S_ISREG(status.st_mode))
        return Error{Fault::refused, path + ": is neither a file nor a directory",
                     fmt::format("what comes through a pipe is read as -: `kedge verify - < {}`", path)};
    posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    return std::unique_ptr<FileSource>(new FileSource(path, std::move(file), status, effort));
}

Result<std::size_t> FileSource::read(std::uint64_t offset, std::span<std::byte> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t got =
            pread(file_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(path_, errno);
        done += static_cast<std::size_t>(got);
    }
    effort_.bytes_read += done;
    return done;
}

Result<struct stat> FileSource::now() const {
    struct stat status {};
    if (fstat(file_.get(), &status) != 0) return system_error(path_, errno);
    return status;
}

Result<std::unique_ptr<ByteStream>> FileStream::open(const std::string& path, Effort& effort) {
    std::unique_ptr<FileSource> file = TRY(FileSource::open(path, effort));
    return std::unique_ptr<ByteStream>(new FileStream(std::move(file)));
}

Result<std::size_t> DescriptorStream::read(std::span<std::byte> into) {
    constexpr int look_again_ms = 100;
    std::size_t done = 0;
    while (done < into.size()) {
        pollfd wait{.fd = descriptor_, .events = POLLIN, .revents = 0};
        const int ready = poll(&wait, 1, look_again_ms);
        if (effort_.stop) return Error{Fault::unavailable, "stopped"};
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        const ssize_t got = ready < 0 ? -1 : ::read(descriptor_, into.data() + done, into.size() - done);
        if (got == 0) break;
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return system_error(name_, errno);
        done += static_cast<std::size_t>(got);
    }
    effort_.bytes_read += done;
    return done;
}

Result<std::size_t> RejoinedStream::read(std::span<std::byte> into) {
    const std::size_t kept = std::min(front_.size(), into.size());
    if (kept > 0) std::memcpy(into.data(), front_.data(), kept);
    front_ = front_.subspan(kept);
    if (kept == into.size()) return kept;
    return kept + TRY(rest_.read(into.subspan(kept)));
}

}  // namespace kedge::verify
