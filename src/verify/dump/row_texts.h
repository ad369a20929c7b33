// The rows of tables as texts that COPY takes, wherever they come from: a dump (table_texts.h) or a server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "verify/bytes.h"
#include "verify/dump/archive_reader.h"

namespace kedge::verify {

// The rows of one table as COPY takes them.
struct TableText {
    std::int64_t id = 0;               // of its entry in a dump
    std::string schema, table;         // whose rows they are, without quotes
    std::string target;                // into what they go, as COPY names it: "public.users (id, email)"
    std::vector<std::string> columns;  // in the order of their fields, without quotes
    bool is_alone = false;             // who loads them makes that table, and nothing else has rows for it
    bool is_binary = false;            // they are in COPY's binary format, and end as that does
    std::int64_t made_by = 0;          // the entry of the table; 0: not in the dump
    std::uint64_t bytes = 0;           // as packed, or what they cost as if they were so many; 0: not known
    ArchiveReader::Offset block;       // custom format: where they are
    std::string file;                  // else: in which file, without its suffix
    // Entries that need the rows of this table and of no other: its indexes and keys, but no foreign ones.
    std::vector<std::int64_t> keys;
};

// Behind the last row: the end marker, and two line feeds that pg_dump adds.
inline constexpr std::string_view text_end = "\\.\n\n\n";

class RowTexts {
public:
    virtual ~RowTexts() = default;
    virtual const std::vector<TableText>& tables() const = 0;
    virtual const std::string& encoding() const = 0;  // "UTF8"; empty if nobody says
    // The text of one of `tables` from its first row to `text_end`, or all of its binary rows. Whoever has read it to
    // its end has read all of it: a stream that breaks is an error. May be called by several threads, each for a stream
    // of its own.
    virtual Result<std::unique_ptr<ByteStream>> open(const TableText& table) const = 0;
};

}  // namespace kedge::verify
