// The data blocks of a custom archive: how they are framed, and where each one is.
//
// Format: pg_backup_custom.c. A block is a type byte (1 rows, 3 large objects), the number of its entry, and chunks of
// a length and that many bytes, up to a length of 0. Large objects have their OID before their chunks, and an OID of 0
// behind the last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verify/dump/archive_reader.h"
#include "verify/dump/data_check.h"

namespace kedge::verify {

struct BlockHead {
    enum Type : std::uint8_t { rows = 1, large_objects = 3 };
    std::uint64_t offset = 0;
    std::uint8_t type = 0;
    std::int64_t id = 0;

    bool fits(const DataEntry& entry) const {
        return id == entry.id && type == (entry.kind == DataEntry::Kind::table ? rows : large_objects);
    }
};
Result<BlockHead> read_block_head(ArchiveReader& reader);

// How the streams in the blocks are packed: a zlib stream where a directory has gzip.
Packing packing_of_blocks(const DumpHeader& header);

// The bytes of one run of chunks, without their framing. Broken framing ends it as the end would: look at `broken`.
class ChunkStream final : public ByteStream {
public:
    explicit ChunkStream(ArchiveReader& reader) : reader_(reader) {}

    Result<std::size_t> read(std::span<std::byte> into) override;
    // Reads on to the end of the run.
    Result<void> drain();
    const std::optional<Error>& broken() const { return broken_; }

private:
    Result<void> next_chunk();

    ArchiveReader& reader_;
    std::uint64_t left_ = 0;  // of the chunk
    bool over_ = false;
    std::optional<Error> broken_;
};

// Checks the block whose head was just read, to its end, as that of `entry`. Broken framing becomes a finding, with
// `where` as the archive's name, and false: where the block ends is then unknown.
Result<bool> check_block(ArchiveReader& reader, const DataContext& context, const DataEntry& entry,
                         const std::string& where, DataResult& result);

// Goes on to the end of the block whose head was just read, without decoding it. corrupt where the framing breaks.
Result<void> skip_block(ArchiveReader& reader, const BlockHead& head);

}  // namespace kedge::verify
