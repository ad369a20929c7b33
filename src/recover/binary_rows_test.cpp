#include "recover/binary_rows.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kedge::recover {
namespace {

std::string bytes_of(std::uint32_t number, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i));
    return text;
}

constexpr std::uint32_t null = 0xffffffff;
const std::string begin("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19), end("\xff\xff");

std::string row(const std::vector<std::string>& fields) {
    std::string row = bytes_of(static_cast<std::uint32_t>(fields.size()), 2);
    for (const std::string& field : fields) row += bytes_of(static_cast<std::uint32_t>(field.size()), 4) + field;
    return row;
}

// "3", or why not.
std::string counted(const std::string& stream, std::size_t piece = 1 << 20) {
    BinaryRows rows;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        const auto done = rows.pass(std::string_view(stream).substr(at, piece));
        if (!done) return done.error().message;
    }
    return rows.is_whole() ? std::to_string(rows.count()) : "not whole";
}

TEST(BinaryRows, AreCountedHoweverTheyAreCut) {
    const std::string stream = begin + row({"a", ""}) + row({}) + row({std::string(300, '\xff')}) + bytes_of(2, 2) +
                               bytes_of(null, 4) + bytes_of(null, 4) + end;
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) EXPECT_EQ(counted(stream, piece), "4") << piece;
    EXPECT_EQ(counted(begin + end), "0");
}

TEST(BinaryRows, ALongerHeaderIsPassedOver) {
    std::string longer = begin.substr(0, 15) + bytes_of(5, 4) + "\xff\xff\xff\xff\xff";
    EXPECT_EQ(counted(longer + row({"x"}) + end), "1");
    longer[12] = 1;  // a flag that nobody may pass over
    EXPECT_NE(counted(longer + end).find("flags"), std::string::npos);
}

TEST(BinaryRows, WhatBreaksOffIsNotWhole) {
    const std::string stream = begin + row({"abc"}) + end;
    for (std::size_t length = 0; length < stream.size(); ++length)
        EXPECT_EQ(counted(stream.substr(0, length)), "not whole") << length;
    EXPECT_NE(counted(stream + "x").find("follows"), std::string::npos);
    EXPECT_NE(counted("1\ta text\n\\.\n, and long").find("begin"), std::string::npos);
    EXPECT_NE(counted(begin + bytes_of(1, 2) + bytes_of(0x80000000, 4)).find("negative"), std::string::npos);
}

}  // namespace
}  // namespace kedge::recover
