// The values of an RDB file, a function for each layout.

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "verify/redis/packed.h"
#include "verify/redis/rdb_walk.h"

namespace kedge::verify {
namespace {

// The length before each part of a module's value (redis/src/rdb.h, RDB_MODULE_OPCODE_*).
enum ModulePart : std::uint64_t {
    part_end = 0,
    part_signed = 1,
    part_unsigned = 2,
    part_float = 3,
    part_double = 4,
    part_text = 5
};

constexpr std::size_t stream_id_bytes = 16;
// Longer lists of pending entries are not held against those of their consumers.
constexpr std::size_t pending_max = 1'000'000;

std::pair<std::uint64_t, std::uint64_t> stream_id(const std::byte* at) {
    return {__builtin_bswap64(little<std::uint64_t>(at)), __builtin_bswap64(little<std::uint64_t>(at + 8))};
}

// Nine characters of six bits each, and ten bits of a version below them (redis/src/module.c).
std::string module_name(std::uint64_t id) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string name;
    for (int shift = 58; shift >= 10; shift -= 6) name += letters[(id >> shift) & 63];
    return name;
}

}  // namespace

std::string_view name_of(ValueType type) {
    switch (type) {
        case ValueType::string: return "string";
        case ValueType::list:
        case ValueType::list_ziplist:
        case ValueType::list_quicklist:
        case ValueType::list_quicklist_2: return "list";
        case ValueType::set:
        case ValueType::set_intset:
        case ValueType::set_listpack: return "set";
        case ValueType::zset:
        case ValueType::zset_2:
        case ValueType::zset_ziplist:
        case ValueType::zset_listpack: return "zset";
        case ValueType::hash:
        case ValueType::hash_zipmap:
        case ValueType::hash_ziplist:
        case ValueType::hash_listpack:
        case ValueType::hash_with_expiry_candidate:
        case ValueType::hash_listpack_with_expiry_candidate:
        case ValueType::hash_with_expiry:
        case ValueType::hash_listpack_with_expiry: return "hash";
        case ValueType::stream:
        case ValueType::stream_2:
        case ValueType::stream_3: return "stream";
        case ValueType::module_pre_release:
        case ValueType::module: return "module";
    }
    return "unknown";
}

bool RdbWalk::value(ValueType type) {
    const bool is_valkey = summary_.dialect == RdbSummary::Dialect::valkey;
    switch (type) {
        case ValueType::string: return skip_text();
        case ValueType::list:
        case ValueType::set: return elements(1, 0);
        case ValueType::hash: return elements(2, 0);
        case ValueType::zset: return sorted_set_with_text_scores();
        case ValueType::zset_2: return sorted_set();
        case ValueType::module: return module_value();
        case ValueType::hash_zipmap: return blob(Container::zipmap, Grouping::pairs);
        case ValueType::list_ziplist: return blob(Container::ziplist, Grouping::single);
        case ValueType::set_intset: return blob(Container::intset, Grouping::unique);
        case ValueType::zset_ziplist:
        case ValueType::hash_ziplist: return blob(Container::ziplist, Grouping::pairs);
        case ValueType::list_quicklist: return quicklist();
        case ValueType::list_quicklist_2: return quicklist_2();
        case ValueType::stream: return stream(1);
        case ValueType::stream_2: return stream(2);
        case ValueType::stream_3: return stream(3);
        case ValueType::hash_listpack:
        case ValueType::zset_listpack: return blob(Container::listpack, Grouping::pairs);
        case ValueType::set_listpack: return blob(Container::listpack, Grouping::unique);
        case ValueType::hash_with_expiry_candidate:
            // Valkey 9 gave the number another meaning.
            if (is_valkey) return wrong("a hash with expiring fields as Valkey writes it", WalkFault::Kind::unknown);
            return hash_with_expiry();
        case ValueType::hash_listpack_with_expiry_candidate: return blob(Container::listpack, Grouping::triples);
        case ValueType::hash_with_expiry: return skip(8) && hash_with_expiry();
        case ValueType::hash_listpack_with_expiry: return skip(8) && blob(Container::listpack, Grouping::triples);
        case ValueType::module_pre_release:
            return wrong("a module's value as only candidates of 4.0 wrote it, which cannot be gone past");
    }
    return wrong(fmt::format("a value has the type {}, which no version writes", static_cast<unsigned>(type)),
                 WalkFault::Kind::unknown);
}

// A number of elements, each of so many texts and then so many bytes.
bool RdbWalk::elements(std::size_t texts_each, std::size_t bytes_each) {
    std::uint64_t count = 0;
    if (!length(count)) return false;
    is_empty_ = count == 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        for (std::size_t text = 0; text < texts_each; ++text)
            if (!skip_text()) return false;
        if (bytes_each > 0 && !skip(bytes_each)) return false;
    }
    return true;
}

bool RdbWalk::sorted_set() {
    std::uint64_t count = 0;
    if (!length(count)) return false;
    is_empty_ = count == 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!skip_text() || !need(8)) return false;
        if (std::isnan(little<double>(intake_.at()))) return wrong("the score of a member is not a number");
        intake_.go(8);
    }
    return true;
}

bool RdbWalk::sorted_set_with_text_scores() {
    std::uint64_t count = 0;
    if (!length(count)) return false;
    is_empty_ = count == 0;
    for (std::uint64_t i = 0; i < count; ++i)
        if (!skip_text() || !text_score()) return false;
    return true;
}

// One byte of length and so many digits; or 254 and 255 for the infinities, and 253, which no server takes.
bool RdbWalk::text_score() {
    if (!need(1)) return false;
    const std::size_t digits = std::to_integer<std::size_t>(*intake_.at());
    if (digits == 253) return wrong("the score of a member is not a number");
    intake_.go(1);
    if (digits > 253) return true;
    if (!need(digits)) return false;
    const char* const at = reinterpret_cast<const char*>(intake_.at());
    double score = 0;
    const auto [end, error] = std::from_chars(at, at + digits, score);
    const bool is_number = error == std::errc() || error == std::errc::result_out_of_range;
    if (!is_number || end != at + digits) return wrong("the score of a member cannot be read");
    intake_.go(digits);
    return true;
}

bool RdbWalk::quicklist() {
    std::uint64_t nodes = 0;
    if (!length(nodes)) return false;
    is_empty_ = nodes == 0;
    for (std::uint64_t i = 0; i < nodes; ++i)
        if (!blob(Container::ziplist, Grouping::single)) return false;
    return true;
}

bool RdbWalk::quicklist_2() {
    constexpr std::uint64_t plain = 1, packed = 2;
    std::uint64_t nodes = 0, form = 0;
    if (!length(nodes)) return false;
    is_empty_ = nodes == 0;
    for (std::uint64_t i = 0; i < nodes; ++i) {
        if (!length(form)) return false;
        if (form != plain && form != packed) return wrong("a node of a list has an unknown form");
        if (!(form == plain ? skip_text() : blob(Container::listpack, Grouping::single))) return false;
    }
    return true;
}

bool RdbWalk::hash_with_expiry() {
    std::uint64_t count = 0, expiry = 0;
    if (!length(count)) return false;
    is_empty_ = count == 0;
    for (std::uint64_t i = 0; i < count; ++i)
        if (!length(expiry) || !skip_text() || !skip_text()) return false;
    return true;
}

bool RdbWalk::stream(unsigned layout) {
    std::uint64_t nodes = 0, groups = 0;
    if (!length(nodes)) return false;
    for (std::uint64_t i = 0; i < nodes; ++i) {
        Text id;
        if (!text_head(id)) return false;
        if (id.form != Text::Form::plain || id.bytes != stream_id_bytes)
            return wrong("a node of a stream does not begin with an id");
        if (!skip(stream_id_bytes) || !blob(Container::listpack, Grouping::stream_entries)) return false;
    }
    constexpr std::size_t numbers_of_first = 3, numbers_of_second = 8;
    if (!lengths(layout >= 2 ? numbers_of_second : numbers_of_first) || !length(groups)) return false;
    for (std::uint64_t i = 0; i < groups; ++i)
        if (!stream_group(layout)) return false;
    return true;
}

bool RdbWalk::stream_group(unsigned layout) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pending;
    bool remembered = true;
    std::uint64_t consumers = 0;
    if (!skip_text() || !lengths(layout >= 2 ? 3 : 2) || !stream_pending(pending, remembered)) return false;
    if (!length(consumers)) return false;
    if (!remembered) ++summary_.unlooked_pending;
    for (std::uint64_t i = 0; i < consumers; ++i)
        if (!stream_consumer(layout, pending, remembered)) return false;
    return true;
}

// What was delivered and not acknowledged: id, time of delivery, number of deliveries.
bool RdbWalk::stream_pending(std::vector<std::pair<std::uint64_t, std::uint64_t>>& ids, bool& remembered) {
    std::uint64_t count = 0;
    if (!length(count)) return false;
    remembered = count <= pending_max;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!need(stream_id_bytes + 8)) return false;
        if (remembered) ids.push_back(stream_id(intake_.at()));
        intake_.go(stream_id_bytes + 8);
        if (!lengths(1)) return false;
    }
    std::ranges::sort(ids);
    if (std::ranges::adjacent_find(ids) != ids.end()) return wrong("an entry of a stream is pending twice");
    return true;
}

bool RdbWalk::stream_consumer(unsigned layout, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& pending,
                              bool remembered) {
    std::uint64_t count = 0;
    if (!skip_text() || !skip(layout >= 3 ? 16 : 8) || !length(count)) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!need(stream_id_bytes)) return false;
        if (remembered && !std::ranges::binary_search(pending, stream_id(intake_.at())))
            return wrong("a consumer holds an entry of a stream that its group does not know as pending");
        intake_.go(stream_id_bytes);
    }
    return true;
}

bool RdbWalk::module_value() {
    std::uint64_t id = 0;
    if (!length(id)) return false;
    constexpr std::size_t modules_max = 1000;
    if (summary_.modules.size() < modules_max) summary_.modules.insert(module_name(id));
    return module_content();
}

bool RdbWalk::module_content() {
    for (;;) {
        std::uint64_t part = 0;
        if (!length(part)) return false;
        switch (part) {
            case part_end: return true;
            case part_signed:
            case part_unsigned:
                if (!lengths(1)) return false;
                break;
            case part_float:
                if (!skip(4)) return false;
                break;
            case part_double:
                if (!skip(8)) return false;
                break;
            case part_text:
                if (!skip_text()) return false;
                break;
            default: return wrong("a module's value has a part of an unknown kind");
        }
    }
}

}  // namespace kedge::verify
