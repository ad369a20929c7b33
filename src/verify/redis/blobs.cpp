#include "verify/redis/blobs.h"

#include <array>
#include <bit>
#include <cstring>

#include "verify/redis/packed.h"

namespace kedge::verify {
namespace {

// A count in a header that says "too many to say here".
constexpr std::uint64_t uncounted = 65535;

constexpr bool remembers(Grouping grouping) {
    return grouping != Grouping::single;
}

std::uint64_t mixed(const std::byte* at, std::size_t length) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    std::uint64_t hash = length * odd;
    for (; length >= 8; at += 8, length -= 8) hash = std::rotl((hash ^ little<std::uint64_t>(at)) * odd, 29);
    std::uint64_t rest = 0;
    std::memcpy(&rest, at, length);
    hash = (hash ^ rest) * odd;
    return hash ^ (hash >> 32);
}

}  // namespace

std::optional<BlobFault> BlobWalk::check(Container container, Grouping grouping, Bytes bytes) {
    entries_ = 0;
    found_.clear();
    switch (container) {
        case Container::listpack: return listpack(bytes, grouping);
        case Container::ziplist: return ziplist(bytes, grouping);
        case Container::intset: return intset(bytes);
        case Container::zipmap: return zipmap(bytes);
    }
    return std::nullopt;
}

// u32 total bytes, u16 count, entries of (encoding, content, length backwards), 0xff.
std::optional<BlobFault> BlobWalk::listpack(Bytes bytes, Grouping grouping) {
    constexpr std::size_t header = 6;
    if (bytes.size() < header + 1) return BlobFault{"a listpack is shorter than its header", 0};
    const std::byte* const start = bytes.data();
    const std::byte* const last = start + bytes.size() - 1;
    if (little<std::uint32_t>(start) != bytes.size()) return BlobFault{"a listpack states another length", 0};
    if (*last != std::byte{0xff}) return BlobFault{"a listpack has no end mark", bytes.size() - 1};
    const std::byte* at = start + header;
    std::uint64_t count = 0;
    while (at < last) {
        const auto place = [&] { return static_cast<std::size_t>(at - start); };
        const std::size_t length = listpack_entry_bytes(at, last);
        if (length == 0) return BlobFault{"an entry of a listpack has an unknown encoding", place()};
        if (length >= static_cast<std::size_t>(last - at))
            return BlobFault{"an entry of a listpack reaches over its end", place()};
        const std::size_t back = listpack_back_bytes(length);
        if (length + back > static_cast<std::size_t>(last - at))
            return BlobFault{"an entry of a listpack reaches over its end", place()};
        if (!listpack_back_is(at + length, length, back))
            return BlobFault{"an entry of a listpack has a wrong length behind it", place()};
        if (remembers(grouping)) found_.push_back({at, length});
        at += length + back;
        ++count;
    }
    const std::uint64_t stated = little<std::uint16_t>(start + 4);
    if (stated != uncounted && stated != count) return BlobFault{"a listpack states another number of entries", 4};
    entries_ = count;
    return grouped(bytes, grouping);
}

// u32 total bytes, u32 offset of the last entry, u16 count, entries of (length of the one before, encoding, content),
// 0xff.
std::optional<BlobFault> BlobWalk::ziplist(Bytes bytes, Grouping grouping) {
    constexpr std::size_t header = 10;
    if (bytes.size() < header + 1) return BlobFault{"a ziplist is shorter than its header", 0};
    const std::byte* const start = bytes.data();
    const std::byte* const last = start + bytes.size() - 1;
    if (little<std::uint32_t>(start) != bytes.size()) return BlobFault{"a ziplist states another length", 0};
    if (*last != std::byte{0xff}) return BlobFault{"a ziplist has no end mark", bytes.size() - 1};
    const std::byte* at = start + header;
    const std::byte* before = at;
    std::uint64_t count = 0;
    std::size_t length_before = 0;
    while (at < last) {
        const auto place = [&] { return static_cast<std::size_t>(at - start); };
        const ZiplistEntry entry = ziplist_entry(at, last);
        if (entry.bytes == 0) return BlobFault{"an entry of a ziplist cannot be read", place()};
        if (entry.bytes > static_cast<std::size_t>(last - at))
            return BlobFault{"an entry of a ziplist reaches over its end", place()};
        if (entry.before != length_before)
            return BlobFault{"an entry of a ziplist has a wrong length before it", place()};
        if (remembers(grouping)) found_.push_back({at + entry.back_bytes, entry.bytes - entry.back_bytes});
        length_before = entry.bytes;
        before = at;
        at += entry.bytes;
        ++count;
    }
    if (little<std::uint32_t>(start + 4) != static_cast<std::size_t>(before - start))
        return BlobFault{"a ziplist points to another last entry", 4};
    const std::uint64_t stated = little<std::uint16_t>(start + 8);
    if (stated != uncounted && stated != count) return BlobFault{"a ziplist states another number of entries", 8};
    entries_ = count;
    return grouped(bytes, grouping);
}

// u32 width of a member (2, 4, 8), u32 count, members in ascending order.
std::optional<BlobFault> BlobWalk::intset(Bytes bytes) {
    constexpr std::size_t header = 8;
    if (bytes.size() < header) return BlobFault{"an intset is shorter than its header", 0};
    const std::byte* const start = bytes.data();
    const std::uint64_t width = little<std::uint32_t>(start), count = little<std::uint32_t>(start + 4);
    if (width != 2 && width != 4 && width != 8) return BlobFault{"an intset has members of an unknown width", 0};
    if (header + width * count != bytes.size()) return BlobFault{"an intset states another number of members", 4};
    std::int64_t before = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::byte* const at = start + header + i * width;
        const std::int64_t member = width == 2   ? little<std::int16_t>(at)
                                    : width == 4 ? little<std::int32_t>(at)
                                                 : little<std::int64_t>(at);
        if (i > 0 && member <= before)
            return BlobFault{"the members of an intset do not ascend", static_cast<std::size_t>(at - start)};
        before = member;
    }
    entries_ = count;
    return std::nullopt;
}

// u8 count, then (length, key, length, free, value, free bytes), 0xff. A length is one byte below 254, or 254 and a
// u32.
std::optional<BlobFault> BlobWalk::zipmap(Bytes bytes) {
    if (bytes.size() < 2) return BlobFault{"a zipmap is shorter than its header", 0};
    const std::byte* const start = bytes.data();
    const std::byte* const last = start + bytes.size() - 1;
    if (*last != std::byte{0xff}) return BlobFault{"a zipmap has no end mark", bytes.size() - 1};
    const std::byte* at = start + 1;
    std::uint64_t fields = 0;
    while (at < last) {
        const auto place = [&] { return static_cast<std::size_t>(at - start); };
        for (const bool is_value : {false, true}) {
            if (at >= last) return BlobFault{"a field of a zipmap has no value", place()};
            const std::size_t short_length = std::to_integer<std::size_t>(*at);
            const std::size_t lead = short_length < 254 ? 1 : 5;
            if (short_length == 255 || static_cast<std::size_t>(last - at) < lead + (is_value ? 1u : 0u))
                return BlobFault{"an entry of a zipmap cannot be read", place()};
            const std::size_t length = lead == 1 ? short_length : little<std::uint32_t>(at + 1);
            const std::size_t unused = is_value ? std::to_integer<std::size_t>(at[lead]) : 0;
            const std::size_t whole = lead + (is_value ? 1 : 0) + length + unused;
            if (whole > static_cast<std::size_t>(last - at))
                return BlobFault{"an entry of a zipmap reaches over its end", place()};
            found_.push_back({at + lead + (is_value ? 1 : 0), length});
            at += whole;
        }
        ++fields;
    }
    const std::uint64_t stated = std::to_integer<std::uint64_t>(*start);
    if (stated < 254 && stated != fields) return BlobFault{"a zipmap states another number of fields", 0};
    entries_ = fields * 2;
    return grouped(bytes, Grouping::pairs);
}

std::optional<BlobFault> BlobWalk::grouped(Bytes bytes, Grouping grouping) {
    switch (grouping) {
        case Grouping::single: return std::nullopt;
        case Grouping::unique: return each_once(bytes, 1);
        case Grouping::pairs: return each_once(bytes, 2);
        case Grouping::triples: return each_once(bytes, 3);
        case Grouping::stream_entries: return stream_node(bytes);
    }
    return std::nullopt;
}

std::optional<BlobFault> BlobWalk::each_once(Bytes bytes, std::size_t step) {
    if (found_.size() % step != 0)
        return BlobFault{step == 2 ? "a container of pairs has an odd number of entries"
                                   : "a container of triples has a number of entries that is no multiple of three",
                         0};
    const std::size_t members = found_.size() / step;
    const std::size_t size = std::bit_ceil(members * 2 + 1);
    if (buckets_.size() < size) buckets_.resize(size);
    std::memset(buckets_.data(), 0, size * sizeof(std::uint32_t));
    for (std::size_t i = 0; i < found_.size(); i += step) {
        const Entry& entry = found_[i];
        std::size_t bucket = mixed(entry.at, entry.length) & (size - 1);
        for (; buckets_[bucket] != 0; bucket = (bucket + 1) & (size - 1)) {
            const Entry& other = found_[buckets_[bucket] - 1];
            if (other.length == entry.length && std::memcmp(other.at, entry.at, entry.length) == 0)
                return BlobFault{"a member occurs twice", static_cast<std::size_t>(entry.at - bytes.data())};
        }
        buckets_[bucket] = static_cast<std::uint32_t>(i + 1);
    }
    return std::nullopt;
}

// The master entry: count, deleted, number of fields, fields, 0. Then for each entry: flags, two differences of the
// id, unless it has the master's fields their number, the fields and values (or the values alone), and how many
// entries of the listpack that was. All but fields and values are integers.
std::optional<BlobFault> BlobWalk::stream_node(Bytes bytes) const {
    std::size_t next = 0;
    const auto place = [&] {
        return next < found_.size() ? static_cast<std::size_t>(found_[next].at - bytes.data()) : bytes.size();
    };
    const auto integer = [&]() -> std::optional<std::int64_t> {
        if (next >= found_.size()) return std::nullopt;
        return listpack_integer(found_[next++].at);
    };
    const auto skip = [&](std::uint64_t count) {
        if (count > found_.size() - next) return false;
        next += count;
        return true;
    };
    const BlobFault broken{"the entries of a stream's node do not fit together", 0};
    const auto count = integer(), deleted = integer(), master_fields = integer();
    if (!count || !deleted || !master_fields || *count < 0 || *deleted < 0 || *master_fields < 0) return broken;
    if (!skip(static_cast<std::uint64_t>(*master_fields)) || integer() != 0) return broken;
    std::int64_t seen = 0, seen_deleted = 0;
    for (; next < found_.size(); ++seen) {
        const BlobFault here{broken.says, place()};
        const auto flags = integer(), milliseconds = integer(), sequence = integer();
        if (!flags || !milliseconds || !sequence || (*flags & ~std::int64_t{3}) != 0) return here;
        const bool same_fields = (*flags & 2) != 0;
        const auto fields = same_fields ? master_fields : integer();
        if (!fields || *fields < 0 || *fields > static_cast<std::int64_t>(found_.size())) return here;
        if (!skip(static_cast<std::uint64_t>(*fields) * (same_fields ? 1 : 2))) return here;
        if (integer() != (same_fields ? 3 + *fields : 4 + 2 * *fields)) return here;
        if ((*flags & 1) != 0) ++seen_deleted;
    }
    if (seen != *count + *deleted || seen_deleted != *deleted)
        return BlobFault{"a stream's node states another number of entries", 6};
    return std::nullopt;
}

}  // namespace kedge::verify
