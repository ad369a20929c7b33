// The bytes of a stream, in order, with as many of them in one piece as the reader of a format needs at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "verify/bytes.h"
#include "verify/effort.h"
#include "verify/redis/chunk_pool.h"

namespace kedge::verify {

// What the reader goes past is covered by the running checksum; blobs that it notes are looked at beside the reading.
// Belongs to one thread.
class Intake {
public:
    // More than this is never brought together in one piece.
    static constexpr std::size_t piece_bytes_max = std::size_t{32} << 20;

    Intake(ByteStream& stream, Effort& effort)
        : stream_(stream), effort_(effort), pool_(effort.threads), chunk_(pool_.take(Chunk::usual_bytes)) {
        at_ = end_ = chunk_->data();
    }

    // Whether `count` more bytes (at most `piece_bytes_max`) lie at `at()` in one piece. False at the end of the
    // stream, and after an error of it.
    bool have(std::size_t count) { return static_cast<std::size_t>(end_ - at_) >= count || refill(count); }
    const std::byte* at() const { return at_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }  // in one piece, at least
    void go(std::size_t count) { at_ += count; }                               // of what there is in one piece
    // Goes past so many bytes, in one piece or not. False if there are fewer.
    bool skip(std::uint64_t count);
    // Goes past everything.
    void skip_all() {
        while (skip(left()) && have(1)) continue;
    }
    // The last bytes that the stream gave, at most so many.
    static constexpr std::size_t tail_bytes = 9;
    Bytes tail() const { return Bytes(tail_).last(tail_count_); }

    // Of what is at `at()`, within the stream.
    std::uint64_t offset() const { return chunk_offset_ + static_cast<std::uint64_t>(at_ - chunk_->data()); }
    // How many bytes the stream has given, those before `at()` included.
    std::uint64_t bytes() const { return chunk_offset_ + static_cast<std::uint64_t>(end_ - chunk_->data()); }

    // Goes past the blob that begins at `at()` in one piece, and has it looked at.
    void take(Blob blob);
    // The checksum of all that the reader went past. Waits until every blob was looked at: `findings()` says the rest.
    std::uint64_t crc();
    const Findings& findings() const { return pool_.findings(); }
    // From here on no checksum is computed.
    void uncover();

    // Why the stream ended, if it was not its end.
    const std::optional<Error>& error() const { return error_; }

private:
    bool refill(std::size_t count);
    void remember_tail(Bytes fresh);
    // Hands over what the reader went past and goes on in another chunk, with what is left of this one at its front.
    void turn_over(std::size_t capacity);

    ByteStream& stream_;
    Effort& effort_;
    ChunkPool pool_;
    std::unique_ptr<Chunk> chunk_;
    std::uint64_t chunk_offset_ = 0;  // of the chunk's first byte, within the stream
    std::byte *at_ = nullptr, *end_ = nullptr;
    bool covered_ = true, ended_ = false;
    std::array<std::byte, tail_bytes> tail_{};  // filled from its end
    std::size_t tail_count_ = 0;
    std::optional<Error> error_;
};

}  // namespace kedge::verify
