// Decodes one piece of a dump's data, the rows of a table or one large object, and holds it against what the table of
// contents says of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "verify/dump/catalogue.h"
#include "verify/examination.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

// What became of the data of one entry, or of one file of it.
struct DataResult {
    bool seen = false;                   // its data was found
    bool complete = false;               // and read to its end, without damage or doubt
    bool checksummed = true;             // every byte of it was covered by a checksum that fits
    std::optional<std::uint64_t> rows;   // exact; of tables that are complete
    std::uint64_t bytes = 0;             // decoded
    std::vector<std::uint32_t> objects;  // OIDs of the large objects, as they came
    Findings findings;
};

// What a data check needs to know besides the entry.
struct DataContext {
    const Catalogue& catalogue;
    const Limits& limits;
    Packing packing;  // of the stream: zlib in a custom archive where a directory has gzip
};

// Reads `packed` to the end of the stream it holds, or to where it breaks.
Result<void> check_table(ByteStream& packed, const DataContext& context, const DataEntry& entry, DataResult& result);
Result<void> check_large_object(ByteStream& packed, const DataContext& context, std::uint32_t oid, DataResult& result);

// Whether the large objects that were found are those that the table of contents names.
void check_object_list(const Catalogue& catalogue, const DataEntry& entry, DataResult& result);

// "table public.debates", "large objects"
std::string said_of(const DataEntry& entry);

}  // namespace kedge::verify
