// The primitive values of a pg_dump archive: bytes, signed integers, strings and offsets, read once from the front.
//
// Format: pg_backup_archiver.c of PostgreSQL (WriteInt, WriteStr, WriteOffset). What cannot be is Fault::corrupt: the
// caller makes a finding of it. Every other fault is the medium's. No length is believed: memory is taken as bytes
// come.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "verify/bytes.h"
#include "verify/effort.h"

namespace kedge::verify {

class ArchiveReader {
public:
    static constexpr std::uint64_t size_unknown = UINT64_MAX;

    // Where `from` begins in the file, and where the file ends, if that is known. Counts what it reads in `effort`.
    ArchiveReader(ByteStream& from, Effort& effort, std::uint64_t offset = 0, std::uint64_t size = size_unknown);

    // Set from the header; 4 and 8 until then.
    void set_widths(int integer_bytes, int offset_bytes) {
        integer_bytes_ = integer_bytes;
        offset_bytes_ = offset_bytes;
    }

    std::uint64_t offset() const { return buffer_offset_ + at_; }  // of the next byte
    // Bytes from here to the end of the file; size_unknown for a stream.
    std::uint64_t left() const;
    Result<bool> at_end();

    Result<std::uint8_t> byte();
    // corrupt for what no writer writes: a sign other than 0 and 1, minus zero, more than 32 bits.
    Result<std::int64_t> integer();
    // A string: nothing for NULL. Its first `kept_max` bytes are kept; `shorter` tells whether there were more.
    struct Text {
        std::optional<std::string> text;
        std::uint64_t bytes = 0;
        bool has_zero_byte = false;
    };
    Result<Text> text(std::size_t kept_max);
    struct Offset {
        int state = 0;
        std::uint64_t position = 0;
    };
    Result<Offset> position();

    // All of `into`; corrupt if the file ends before.
    Result<void> read(std::span<std::byte> into);
    // Up to all of `into`, fewer at the end of the file.
    Result<std::size_t> read_some(std::span<std::byte> into);
    Result<void> skip(std::uint64_t bytes);
    // Bytes that are here already, at most `most`; reads when there are none. Empty at the end of the file.
    Result<Bytes> peek(std::size_t most);
    void take(std::size_t bytes) { at_ += bytes; }  // of those that were peeked

private:
    Result<void> refill();
    Error ends_early() const;

    ByteStream& from_;
    Effort& effort_;
    const std::uint64_t size_;
    const std::unique_ptr<std::byte[]> buffer_;
    std::uint64_t buffer_offset_;  // of the buffer's first byte
    std::size_t at_ = 0, end_ = 0;
    bool drained_ = false;
    int integer_bytes_ = 4, offset_bytes_ = 8;
};

}  // namespace kedge::verify
