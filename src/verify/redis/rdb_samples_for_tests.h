// Snapshots as servers of every version write them, by their documented layout. For tests.
#pragma once

#include <fmt/format.h>

#include "verify/redis/rdb_writer_for_tests.h"

namespace kedge::verify {

inline std::string stream_id_bytes() {
    return big_endian(1700000000000) + big_endian(0);
}

// What follows the nodes of a stream, of layout 1, 2 or 3, with a group whose consumer holds one entry.
inline std::string stream_of(int layout) {
    using W = RdbWriter;
    std::string text = W::length(1) + W::text(stream_id_bytes()) + W::text(stream_node_of("kind", "vote"));
    text += W::length(1) + W::length(1700000000000) + W::length(0);
    if (layout >= 2) text += W::length(1700000000000) + W::length(0) + W::length(0) + W::length(0) + W::length(2);
    text += W::length(1) + W::text("readers") + W::length(1700000000000) + W::length(0);
    if (layout >= 2) text += W::length(1);
    text += W::length(1) + stream_id_bytes() + little_endian(std::int64_t{1700000000001}) + W::length(1);
    text += W::length(1) + W::text("ada") + little_endian(std::int64_t{1700000000002});
    if (layout >= 3) text += little_endian(std::int64_t{1700000000003});
    return text + W::length(1) + stream_id_bytes();
}

// Every type and opcode that came with a version or before.
inline RdbWriter everything_of(unsigned version) {
    using W = RdbWriter;
    RdbWriter rdb(fmt::format("REDIS{:04}", version));
    const std::string pairs = W::length(2) + W::text("a") + W::text("1") + W::text("b") + W::text("2");
    if (version >= 7) rdb.field("redis-ver", "test").field("ctime", "1700000000").field("unheard-of", "x");
    rdb.database(0);
    if (version >= 7) rdb.raw("\xfb").raw(W::length(300)).raw(W::length(1));
    rdb.key(0, "s", W::text("v")).key(0, "p", W::packed(std::string(100, 'p')));
    rdb.key(0, "i", std::string("\xc1\x10\x27", 3)).key(0, "j", std::string("\xc2\x10\x27\x00\x01", 5));
    rdb.raw("\xfd").raw(little_endian(std::int32_t{1700000000})).key(1, "l", W::length(1) + W::text("x"));
    rdb.key(2, "set", W::length(2) + W::text("x") + W::text("y")).key(4, "h", pairs);
    rdb.key(3, "z",
            W::length(3) + W::text("x") +
                "\x03"
                "1.5" +
                W::text("y") + "\xfe" + W::text("w") + "\xff");
    rdb.key(9, "zm",
            W::text(std::string("\x01\x01"
                                "a\x01\x00"
                                "x\xff",
                                7)));
    rdb.key(10, "lz", W::text(ziplist_of({"a", "b"}))).key(13, "hz", W::packed(ziplist_of({"a", "b"})));
    rdb.key(12, "zz", W::text(ziplist_of({"a", "1"})));
    rdb.key(11, "is", W::text(little_endian(2u) + little_endian(1u) + little_endian(std::int16_t{4})));
    if (version >= 7) rdb.key(14, "q", W::length(2) + W::text(ziplist_of({"a"})) + W::text(ziplist_of({"b", "b"})));
    if (version >= 8) {
        rdb.key(5, "z2", W::length(1) + W::text("x") + little_endian(2.5));
        const std::string module = W::length((std::uint64_t{0x123456789abcd} << 10) | 1) + W::length(2) + W::length(7) +
                                   W::length(1) + W::length(9) + W::length(3) + "abcd" + W::length(4) + "abcdefgh" +
                                   W::length(5) + W::text("inside") + W::length(0);
        rdb.key(7, "m", module);
    }
    if (version >= 9) {
        rdb.raw("\xf9\x05").raw("\xf8").raw(W::length(12)).key(15, "x1", stream_of(1));
        rdb.raw("\xf7")
            .raw(W::length(77 << 10))
            .raw(W::length(2) + W::length(1) + W::length(2) + W::length(5) + W::length(0));
    }
    if (version >= 10) {
        rdb.raw("\xf5").raw(W::text("#!lua name=lib\nreturn 1"));
        rdb.key(16, "hl", W::text(listpack_of({"a", "1"}))).key(17, "zl", W::text(listpack_of({"a", "1"})));
        rdb.key(18, "q2", W::length(2) + W::length(1) + W::text("plain") + W::length(2) + W::text(listpack_of({"a"})));
        rdb.key(19, "x2", stream_of(2));
    }
    if (version >= 11) rdb.key(20, "sl", W::text(listpack_of({"a", "b"}))).key(21, "x3", stream_of(3));
    if (version >= 12) {
        rdb.raw("\xf4").raw(W::length(1) + W::length(2) + W::length(3));
        const std::string expiry = little_endian(std::int64_t{1700000000000});
        rdb.key(24, "he", expiry + W::length(1) + W::length(5) + W::text("f") + W::text("v"));
        rdb.key(25, "hle", expiry + W::text(listpack_of({"f", "v", "0"})));
        rdb.key(22, "hc", W::length(1) + W::length(5) + W::text("f") + W::text("v"));
        rdb.key(23, "hlc", W::text(listpack_of({"f", "v", "0"})));
    }
    rdb.expires_ms(4102444800000).database(7).key(0, "late", W::text("v"));
    return rdb;
}

}  // namespace kedge::verify
