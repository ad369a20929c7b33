#include "verify/dump/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace kedge::verify {
namespace {

// The next length of a chunk; 0 at the end of a run.
Result<std::uint64_t> chunk_length(ArchiveReader& reader) {
    const std::uint64_t start = reader.offset();
    const std::int64_t length = TRY(reader.integer());
    if (length < 0 || static_cast<std::uint64_t>(length) > reader.left())
        return Error{Fault::corrupt,
                     fmt::format("the chunk at {} claims {} bytes, {} are left", start, length, reader.left())};
    return static_cast<std::uint64_t>(length);
}

// The OID of the next large object; 0 behind the last. OIDs from 2^31 on are written as negative numbers.
Result<std::uint32_t> object_id(ArchiveReader& reader) {
    return static_cast<std::uint32_t>(TRY(reader.integer()));
}

Finding framing(const Error& error, const DataEntry& entry, const std::string& where, std::uint64_t offset) {
    return {Weight::damage, "block-framing", fmt::format("{}: {}", said_of(entry), error.message), where, offset};
}

Result<void> skip_chunks(ArchiveReader& reader) {
    for (;;) {
        const std::uint64_t length = TRY(chunk_length(reader));
        if (length == 0) return {};
        TRY(reader.skip(length));
    }
}

}  // namespace

Packing packing_of_blocks(const DumpHeader& header) {
    return header.packing == Packing::gzip ? Packing::zlib : header.packing;
}

Result<BlockHead> read_block_head(ArchiveReader& reader) {
    BlockHead head{.offset = reader.offset()};
    head.type = TRY(reader.byte());
    head.id = TRY(reader.integer());
    return head;
}

Result<void> ChunkStream::next_chunk() {
    auto length = chunk_length(reader_);
    if (!length) {
        over_ = true;
        if (length.error().fault != Fault::corrupt) return length.error();
        broken_ = length.error();
        return {};
    }
    left_ = *length;
    over_ = left_ == 0;
    return {};
}

Result<std::size_t> ChunkStream::read(std::span<std::byte> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        if (left_ == 0 && !over_) TRY(next_chunk());
        if (over_) break;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size() - filled));
        const std::size_t got = TRY(reader_.read_some(into.subspan(filled, wanted)));
        filled += got;
        left_ -= got;
        if (got < wanted) {
            over_ = true;
            broken_ = Error{Fault::corrupt, fmt::format("it ends at byte {}, within a chunk of which {} bytes are "
                                                        "missing",
                                                        reader_.offset(), left_)};
        }
    }
    return filled;
}

Result<void> ChunkStream::drain() {
    while (!over_) {
        const Bytes here = TRY(reader_.peek(
            static_cast<std::size_t>(std::min<std::uint64_t>(left_, std::numeric_limits<std::size_t>::max()))));
        if (left_ > 0 && here.empty()) {
            over_ = true;
            broken_ = Error{Fault::corrupt, fmt::format("it ends at byte {}, within a chunk", reader_.offset())};
            return {};
        }
        reader_.take(here.size());
        left_ -= here.size();
        if (left_ == 0) TRY(next_chunk());
    }
    return {};
}

namespace {

// One run of chunks, handed to `check` as a stream, and read to its end. False where the framing breaks.
template <class Check>
Result<bool> check_run(ArchiveReader& reader, const DataEntry& entry, const std::string& where, DataResult& result,
                       const Check& check) {
    ChunkStream chunks(reader);
    DataResult part;
    TRY(check(chunks, part));
    TRY(chunks.drain());
    result.seen = true;
    result.bytes += part.bytes;
    result.objects.insert(result.objects.end(), part.objects.begin(), part.objects.end());
    if (!chunks.broken()) {
        result.rows = part.rows;
        result.complete &= part.complete;
        result.checksummed &= part.checksummed;
        result.findings.merge(part.findings);
        return true;
    }
    // What the decoder says of a stream whose framing broke is a consequence.
    result.complete = result.checksummed = false;
    result.findings.add(framing(*chunks.broken(), entry, where, reader.offset()));
    return false;
}

Result<bool> check_large_objects(ArchiveReader& reader, const DataContext& context, const DataEntry& entry,
                                 const std::string& where, DataResult& result) {
    for (;;) {
        auto oid = object_id(reader);
        if (!oid) {
            if (oid.error().fault != Fault::corrupt) return oid.error();
            result.findings.add(framing(oid.error(), entry, where, reader.offset()));
            result.complete = false;
            return false;
        }
        if (*oid == 0) return true;
        const auto check = [&](ByteStream& chunks, DataResult& part) {
            part.complete = true;
            return check_large_object(chunks, context, *oid, part);
        };
        if (!TRY(check_run(reader, entry, where, result, check))) return false;
        if (result.objects.size() > context.limits.objects_max)
            return Error{Fault::refused, "it holds more large objects than are allowed"};
    }
}

}  // namespace

Result<bool> check_block(ArchiveReader& reader, const DataContext& context, const DataEntry& entry,
                         const std::string& where, DataResult& result) {
    result.seen = result.complete = true;
    if (entry.kind == DataEntry::Kind::table)
        return check_run(reader, entry, where, result, [&](ByteStream& chunks, DataResult& part) {
            return check_table(chunks, context, entry, part);
        });
    if (!TRY(check_large_objects(reader, context, entry, where, result))) return false;
    check_object_list(context.catalogue, entry, result);
    return true;
}

Result<void> skip_block(ArchiveReader& reader, const BlockHead& head) {
    if (head.type == BlockHead::rows) return skip_chunks(reader);
    if (head.type != BlockHead::large_objects)
        return Error{Fault::corrupt, fmt::format("the byte at {} begins no block of data", head.offset)};
    while (TRY(object_id(reader)) != 0) TRY(skip_chunks(reader));
    return {};
}

}  // namespace kedge::verify
