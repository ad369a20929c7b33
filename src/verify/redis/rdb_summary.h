// What walking an RDB file shows, before it is put into words.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::verify {

// The type bytes of values (redis/src/rdb.h).
enum class ValueType : std::uint8_t {
    string = 0,
    list = 1,
    set = 2,
    zset = 3,
    hash = 4,
    zset_2 = 5,
    module_pre_release = 6,
    module = 7,
    hash_zipmap = 9,
    list_ziplist = 10,
    set_intset = 11,
    zset_ziplist = 12,
    hash_ziplist = 13,
    list_quicklist = 14,
    stream = 15,
    hash_listpack = 16,
    zset_listpack = 17,
    list_quicklist_2 = 18,
    stream_2 = 19,
    set_listpack = 20,
    stream_3 = 21,
    hash_with_expiry_candidate = 22,
    hash_listpack_with_expiry_candidate = 23,
    hash_with_expiry = 24,
    hash_listpack_with_expiry = 25,
};

inline constexpr std::size_t value_types = 26;
// As `TYPE key` names it.
std::string_view name_of(ValueType type);

struct DatabaseTally {
    std::uint64_t keys = 0, expiring = 0;
    std::uint64_t expired = 0;      // of those, at the moment that was given
    std::uint64_t empty = 0;        // collections without members, which a server leaves out when it loads them
    std::uint64_t value_bytes = 0;  // of strings, members and containers, unpacked
    std::array<std::uint64_t, value_types> by_type{};
    std::optional<std::uint64_t> stated_keys{}, stated_expiring{};  // by the file's own word
};

struct BigKey {
    std::uint64_t database = 0, bytes = 0;
    std::string name;  // its beginning if it is long
    std::string_view type;
};

// Where and why walking came to its end before the end mark.
struct WalkFault {
    enum class Kind {
        ended,    // the bytes did
        wrong,    // what is there cannot be
        unknown,  // it is nothing that this Kedge knows
        limit,    // it would cost more than may be spent
    };
    Kind kind{};
    std::string says;          // "a value has the type 77, which no version writes"
    std::uint64_t offset = 0;  // of where it was seen
    std::uint64_t bytes = 0;   // Kind::limit: that lie behind it, as the file says
};

struct RdbSummary {
    enum class Dialect { redis, valkey };
    enum class Checksum { absent, disabled, fits, differs };

    Dialect dialect = Dialect::redis;
    unsigned version = 0;
    std::map<std::string, std::string> fields;  // auxiliary: redis-ver, ctime, ...
    std::map<std::uint64_t, DatabaseTally> databases;
    std::vector<BigKey> biggest;         // descending
    std::vector<std::string> libraries;  // of functions, by name
    std::set<std::string> modules;       // whose values or fields are in the file
    std::uint64_t unlooked_pending = 0;  // pending lists of streams too long to be compared with their consumers'
    std::uint64_t bytes = 0;             // to the end mark or the fault
    std::optional<WalkFault> fault;

    Checksum checksum = Checksum::absent;
    std::uint64_t stated_crc = 0, computed_crc = 0;
};

}  // namespace kedge::verify
