// Assembles RDB files as their layout is documented (redis/src/rdb.h), for versions whose servers are not at hand and
// for damage at a chosen place. For tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "verify/redis/crc64.h"

namespace kedge::verify {

template <class Number>
std::string little_endian(Number value) {
    std::string bytes(sizeof value, 0);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

inline std::string big_endian(std::uint64_t value) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
    return bytes;
}

// A container of short strings.
inline std::string listpack_of(const std::vector<std::string>& entries) {
    std::string body;
    for (const std::string& entry : entries) {
        body += static_cast<char>(0x80 | entry.size());
        body += entry + static_cast<char>(entry.size() + 1);
    }
    return little_endian(static_cast<std::uint32_t>(body.size() + 7)) +
           little_endian(static_cast<std::uint16_t>(entries.size())) + body + '\xff';
}

inline std::string ziplist_of(const std::vector<std::string>& entries) {
    std::string body;
    std::size_t before = 0, last = 0;
    for (const std::string& entry : entries) {
        last = body.size();
        body += static_cast<char>(before);
        body += static_cast<char>(entry.size());
        body += entry;
        before = body.size() - last;
    }
    return little_endian(static_cast<std::uint32_t>(body.size() + 11)) +
           little_endian(static_cast<std::uint32_t>(10 + last)) +
           little_endian(static_cast<std::uint16_t>(entries.size())) + body + '\xff';
}

// A node of a stream with one entry of the fields {field: value} and one deleted one.
inline std::string stream_node_of(const std::string& field, const std::string& value) {
    std::string body;
    std::uint16_t count = 0;
    const auto number = [&](int small) { body += {static_cast<char>(small), 1}, ++count; };
    const auto text = [&](const std::string& word) {
        body += static_cast<char>(0x80 | word.size()) + word + static_cast<char>(word.size() + 1);
        ++count;
    };
    number(1), number(1), number(1), text(field), number(0);                            // master entry
    number(2), number(0), number(0), text(value), number(4);                            // same fields
    number(1), number(5), number(0), number(1), text("other"), text(value), number(6);  // deleted, its own fields
    return little_endian(static_cast<std::uint32_t>(body.size() + 7)) + little_endian(count) + body + '\xff';
}

class RdbWriter {
public:
    explicit RdbWriter(std::string_view magic) : bytes(magic) {}

    static std::string length(std::uint64_t value) {
        if (value < 64) return {static_cast<char>(value)};
        if (value < 16384) return {static_cast<char>(0x40 | (value >> 8)), static_cast<char>(value)};
        if (value <= UINT32_MAX) return '\x80' + big_endian(value).substr(4);
        return '\x81' + big_endian(value);
    }
    static std::string text(std::string_view content) { return length(content.size()) + std::string(content); }
    // As LZF of literals only.
    static std::string packed(std::string_view content) {
        std::string lzf;
        for (std::size_t at = 0; at < content.size(); at += 32) {
            const std::string_view run = content.substr(at, 32);
            lzf += static_cast<char>(run.size() - 1) + std::string(run);
        }
        return '\xc3' + length(lzf.size()) + length(content.size()) + lzf;
    }

    RdbWriter& raw(std::string_view more) {
        bytes += more;
        return *this;
    }
    RdbWriter& field(std::string_view name, std::string_view content) {
        return raw("\xfa").raw(text(name)).raw(text(content));
    }
    RdbWriter& database(std::uint64_t number) { return raw("\xfe").raw(length(number)); }
    RdbWriter& key(int type, std::string_view name, std::string_view value) {
        return raw(std::string(1, static_cast<char>(type))).raw(text(name)).raw(value);
    }
    RdbWriter& expires_ms(std::int64_t at) { return raw("\xfc").raw(little_endian(at)); }
    // With the end mark and the checksum.
    std::string whole() const {
        const std::string all = bytes + '\xff';
        return all + little_endian(crc64(0, as_bytes(all)));
    }
    std::string without_checksum() const { return bytes + '\xff' + std::string(8, 0); }

    std::string bytes;
};

}  // namespace kedge::verify
