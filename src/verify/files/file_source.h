// Files and pipes as bytes to verify: the one place where they are opened. Opened to read, and never written.
//
// What is read of them is counted in the effort they are given, which outlives them: of the medium, however often it is
// unpacked behind it.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "os/descriptor.h"
#include "verify/bytes.h"
#include "verify/effort.h"

namespace kedge::verify {

// A regular file.
class FileSource final : public ByteSource {
public:
    // not_found; not_allowed without the right to read; refused for what is no regular file. Does not wait for the
    // writer of a pipe.
    static Result<std::unique_ptr<FileSource>> open(const std::string& path, Effort& effort);

    const std::string& name() const override { return path_; }
    std::uint64_t size() const override { return static_cast<std::uint64_t>(opened_as_.st_size); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override;

    // How the file was when it was opened, and how it is now.
    const struct stat& opened_as() const { return opened_as_; }
    Result<struct stat> now() const;

private:
    FileSource(std::string path, Descriptor file, const struct stat& opened_as, Effort& effort)
        : path_(std::move(path)), file_(std::move(file)), opened_as_(opened_as), effort_(effort) {}

    std::string path_;
    Descriptor file_;
    struct stat opened_as_;
    Effort& effort_;
};

// A file from its front, with the file.
class FileStream final : public ByteStream {
public:
    static Result<std::unique_ptr<ByteStream>> open(const std::string& path, Effort& effort);
    Result<std::size_t> read(std::span<std::byte> into) override { return stream_.read(into); }

private:
    explicit FileStream(std::unique_ptr<FileSource> file) : file_(std::move(file)), stream_(*file_) {}

    std::unique_ptr<FileSource> file_;
    SourceStream stream_;
};

// What comes through a descriptor, which stays the caller's. Ends with an error soon after the effort was stopped, even
// when nothing comes.
class DescriptorStream final : public ByteStream {
public:
    DescriptorStream(int descriptor, std::string name, Effort& effort)
        : descriptor_(descriptor), name_(std::move(name)), effort_(effort) {}
    Result<std::size_t> read(std::span<std::byte> into) override;

private:
    int descriptor_;
    std::string name_;
    Effort& effort_;
};

// Bytes that were already taken from the front of a stream, and then the stream, which outlives it.
class RejoinedStream final : public ByteStream {
public:
    RejoinedStream(Bytes front, ByteStream& rest) : front_(front), rest_(rest) {}
    Result<std::size_t> read(std::span<std::byte> into) override;

private:
    Bytes front_;
    ByteStream& rest_;
};

}  // namespace kedge::verify
