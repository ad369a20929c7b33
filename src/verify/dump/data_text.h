// The text of one table's data: rows as COPY or as INSERT statements, counted exactly and checked for what the server
// and pg_dump never write.
//
// Formats: CopyAttributeOutText of PostgreSQL with the end marker and two line feeds that pg_dump adds;
// dumpTableData_insert of pg_dump.c.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verify/dump/catalogue.h"

namespace kedge::verify {

// What is wrong with a text: `offset` is within it.
struct TextFault {
    std::string code, says;
    std::uint64_t offset = 0;
};

// Takes the text in pieces, in order: write to `room`, then say how much by `took`. Belongs to one thread.
class DataText {
public:
    virtual ~DataText() = default;
    virtual std::span<std::byte> room() = 0;  // never empty
    virtual void took(std::size_t bytes) = 0;
    // After the last byte. The faults found; the rows that were there, which are exact if there are no faults.
    virtual std::vector<TextFault> finish() = 0;
    virtual std::uint64_t rows() const = 0;
};

// `encoding` as the dump names it.
std::unique_ptr<DataText> copy_text(std::optional<std::size_t> columns, const std::string& encoding);
std::unique_ptr<DataText> insert_text();

// Whether 0x5c can be part of a longer character, so that no escape can be told from one: SJIS and its like.
bool embeds_ascii(const std::string& encoding);

}  // namespace kedge::verify
