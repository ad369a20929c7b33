// The packed containers inside an RDB file: each is one string whose bytes are a small list. Layouts: redis/src
// listpack.c, ziplist.c, intset.c, zipmap.c, t_stream.c (headers and comments there).
//
// Every entry is walked: its lengths, its back link, the counts and totals of the header, the end mark, and, where the
// value is one of unique members, that none occurs twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "verify/bytes.h"

namespace kedge::verify {

enum class Container : std::uint8_t { listpack, ziplist, intset, zipmap };

// How the entries of a container make up a value.
enum class Grouping : std::uint8_t {
    single,          // a list: any entries
    unique,          // a set: each once
    pairs,           // a hash or sorted set: the first of each two occurs once
    triples,         // a hash with the expiry of fields: the first of each three occurs once
    stream_entries,  // a node of a stream
};

struct BlobFault {
    std::string_view says;  // what is wrong
    std::size_t at = 0;     // in bytes, within the container
};

// Keeps what walking needs from one container to the next. One for each thread.
class BlobWalk {
public:
    // What is wrong, or nothing. `entries()` is then how many entries there are.
    std::optional<BlobFault> check(Container container, Grouping grouping, Bytes bytes);
    std::uint64_t entries() const { return entries_; }

private:
    struct Entry {
        const std::byte* at;
        std::size_t length;  // of encoding and content: what makes two entries the same
    };

    std::optional<BlobFault> listpack(Bytes bytes, Grouping grouping);
    std::optional<BlobFault> ziplist(Bytes bytes, Grouping grouping);
    std::optional<BlobFault> intset(Bytes bytes);
    std::optional<BlobFault> zipmap(Bytes bytes);
    std::optional<BlobFault> grouped(Bytes bytes, Grouping grouping);
    std::optional<BlobFault> each_once(Bytes bytes, std::size_t step);
    std::optional<BlobFault> stream_node(Bytes bytes) const;

    std::vector<Entry> found_;            // the entries of the container that is looked at, where they are needed
    std::vector<std::uint32_t> buckets_;  // index into `found_` + 1
    std::uint64_t entries_ = 0;
};

}  // namespace kedge::verify
