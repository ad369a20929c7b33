#include "verify/redis/chunk.h"

#include <fmt/format.h>

#include "verify/redis/crc64.h"
#include "verify/redis/lzf.h"

namespace kedge::verify {

ChunkOutcome ChunkWorker::work(const Chunk& chunk) {
    ChunkOutcome outcome;
    for (const Blob& blob : chunk.blobs) look_at(chunk, blob, outcome.findings);
    if (chunk.covered) {
        outcome.bytes = chunk.end - chunk.begin;
        outcome.crc = crc64(0, chunk.part(chunk.begin, chunk.end - chunk.begin));
    }
    return outcome;
}

void ChunkWorker::look_at(const Chunk& chunk, const Blob& blob, Findings& findings) {
    const auto packing = [&](std::string_view says) {
        findings.add({Weight::damage, "packing", fmt::format("a value cannot be unpacked: {}", says), {}, blob.offset});
    };
    Bytes bytes = chunk.part(blob.begin, blob.bytes);
    if (blob.form == Blob::Form::text) {
        LzfWalk walk(blob.unpacked_bytes);
        walk.take(bytes);
        if (const auto wrong = walk.end()) packing(*wrong);
        return;
    }
    if (blob.unpacked_bytes > 0) {
        if (blob.unpacked_bytes > unpacked_bytes_max) {
            findings.add({Weight::doubt,
                          "limit",
                          fmt::format("a container unpacks to {} bytes, more than are looked into ({})",
                                      blob.unpacked_bytes, unpacked_bytes_max),
                          {},
                          blob.offset});
            return;
        }
        if (blob.unpacked_bytes > unpacked_capacity_) {
            unpacked_capacity_ = std::max<std::size_t>(blob.unpacked_bytes, std::size_t{64} << 10);
            unpacked_.reset();
            unpacked_ = std::make_unique_for_overwrite<std::byte[]>(unpacked_capacity_);
        }
        const std::span<std::byte> room(unpacked_.get(), blob.unpacked_bytes);
        if (const auto wrong = unpack_lzf(bytes, room)) return packing(*wrong);
        bytes = room;
    }
    if (const auto fault = walk_.check(blob.container, blob.grouping, bytes))
        findings.add({Weight::damage,
                      "container",
                      fmt::format("{}, at byte {} of the container that begins here", fault->says, fault->at),
                      {},
                      blob.offset});
}

}  // namespace kedge::verify
