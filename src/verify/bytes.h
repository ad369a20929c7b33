// Where the bytes of a backup come from: anywhere in a file, or once from the front of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kedge::verify {

using Bytes = std::span<const std::byte>;

// Bytes that can be read anywhere, by several threads at once.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    virtual const std::string& name() const = 0;  // for messages
    virtual std::uint64_t size() const = 0;       // when it was opened
    // Fills `into` from `offset` on, as far as there are bytes; returns how many. Fewer than asked for means the end.
    virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const = 0;
};

// Bytes that come once, in order. Belongs to one thread.
class ByteStream {
public:
    virtual ~ByteStream() = default;
    // Fills `into` as far as there are bytes; returns how many. Fewer than asked for means the end.
    virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

// Bytes in memory, for tests and for what was read whole. The bytes outlive it.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(Bytes bytes, std::string name = "memory") : bytes_(bytes), name_(std::move(name)) {}

    const std::string& name() const override { return name_; }
    std::uint64_t size() const override { return bytes_.size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override;

private:
    Bytes bytes_;
    std::string name_;
};

// A part of a source as a stream. The source outlives it.
class SourceStream final : public ByteStream {
public:
    explicit SourceStream(const ByteSource& source, std::uint64_t from = 0, std::uint64_t to = UINT64_MAX)
        : source_(source), next_(from), end_(to) {}

    Result<std::size_t> read(std::span<std::byte> into) override;

private:
    const ByteSource& source_;
    std::uint64_t next_, end_;
};

inline Bytes as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace kedge::verify
