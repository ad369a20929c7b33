// A file on disk as a source of bytes, for benchmarks.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/check.h"
#include "os/descriptor.h"
#include "verify/bytes.h"

namespace kedge::verify {

class FileSource final : public ByteSource {
public:
    // Stops the process if there is no such file.
    explicit FileSource(std::string path) : path_(std::move(path)), file_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
        struct stat status {};
        check(file_.is_open() && fstat(file_.get(), &status) == 0, "the file of a benchmark can be opened");
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    const std::string& name() const override { return path_; }
    std::uint64_t size() const override { return size_; }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
        std::size_t filled = 0;
        while (filled < into.size()) {
            const ssize_t got =
                pread(file_.get(), into.data() + filled, into.size() - filled, static_cast<off_t>(offset + filled));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return Error{Fault::unavailable, path_ + ": cannot be read"};
            if (got == 0) break;
            filled += static_cast<std::size_t>(got);
        }
        return filled;
    }

private:
    const std::string path_;
    const Descriptor file_;
    std::uint64_t size_ = 0;
};

}  // namespace kedge::verify
