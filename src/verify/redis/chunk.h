// A stretch of a file in memory, and what is to be done with it by whoever has a free hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "verify/bytes.h"
#include "verify/examination.h"
#include "verify/redis/blobs.h"

namespace kedge::verify {

// A string of the file whose bytes are still to be looked at: a container, or a packed string.
struct Blob {
    enum class Form : std::uint8_t { text, container };

    std::uint32_t begin = 0, bytes = 0;  // within the chunk
    std::uint64_t unpacked_bytes = 0;    // 0: it is not packed
    std::uint64_t offset = 0;            // within the file
    Form form{};
    Container container{};  // of Form::container
    Grouping grouping{};
};

class Chunk {
public:
    // Big enough to be worth handing over, small enough to stay in a processor's cache until it has been.
    static constexpr std::size_t usual_bytes = std::size_t{1} << 20;
    static constexpr std::size_t blobs_max = 16384;

    explicit Chunk(std::size_t capacity)
        : capacity_(capacity), memory_(std::make_unique_for_overwrite<std::byte[]>(capacity)) {}

    std::span<std::byte> memory() { return {memory_.get(), capacity_}; }
    std::byte* data() { return memory_.get(); }
    std::size_t capacity() const { return capacity_; }
    Bytes part(std::size_t from, std::size_t count) const { return Bytes(memory_.get() + from, count); }

    std::size_t begin = 0, end = 0;  // what the checksum covers; set when the chunk is handed over
    std::uint64_t number = 0;        // counts the chunks of a file
    bool covered = true;             // there is a checksum over it
    std::vector<Blob> blobs;

private:
    std::size_t capacity_;
    std::unique_ptr<std::byte[]> memory_;
};

// What came out of one chunk.
struct ChunkOutcome {
    std::uint64_t crc = 0, bytes = 0;  // of what is covered
    Findings findings;
};

// Works through chunks. One for each thread.
class ChunkWorker {
public:
    // A container that unpacks to more is not unpacked; that it was not is a finding.
    static constexpr std::size_t unpacked_bytes_max = std::size_t{96} << 20;

    ChunkOutcome work(const Chunk& chunk);

private:
    void look_at(const Chunk& chunk, const Blob& blob, Findings& findings);

    BlobWalk walk_;
    std::unique_ptr<std::byte[]> unpacked_;
    std::size_t unpacked_capacity_ = 0;
};

}  // namespace kedge::verify
