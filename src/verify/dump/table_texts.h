// The rows of a dump's tables for whoever loads them: which entries hold some, and the text of each as it was written.
//
// The dump was verified before (dump.h): what does not fit is Fault::corrupt here, and never a finding.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "verify/bytes.h"
#include "verify/dump/toc.h"
#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

// The rows of one table as COPY takes them.
struct TableText {
    std::int64_t id = 0;               // of its entry
    std::string schema, table;         // whose rows they are, without quotes
    std::string target;                // into what they go, as COPY names it: "public.users (id, email)"
    std::vector<std::string> columns;  // in the order of their fields, without quotes
    bool is_alone = false;             // the dump makes that table, and nothing else has rows for it
    std::int64_t made_by = 0;          // the entry of the table; 0: not in the dump
    std::uint64_t bytes = 0;           // as packed; 0 where that is not known
    ArchiveReader::Offset block;       // custom format: where they are
    std::string file;                  // else: in which file, without its suffix
    // Entries that need the rows of this table and of no other: its indexes and keys, but no foreign ones.
    std::vector<std::int64_t> keys;
};

class TableTexts {
public:
    // Of a dump in custom format. `source` and `effort` outlive it.
    static Result<TableTexts> of_custom(const ByteSource& source, Effort& effort);
    // Of the files of a dump in directory format, or of the members of a tar. What they read outlives it.
    static Result<TableTexts> of_files(std::vector<Member> files, Effort& effort);

    // In the order of the table of contents.
    const std::vector<TableText>& tables() const { return tables_; }
    // The entries of the dump's section of data that are none of these, in that order: large objects, sequences, rows
    // as INSERT statements.
    const std::vector<std::int64_t>& others() const { return others_; }
    // Whether rows of a table are among those.
    bool has_statements() const { return has_statements_; }
    // The entries behind that section, in that order.
    const std::vector<std::int64_t>& behind() const { return behind_; }
    const std::string& encoding() const { return encoding_; }  // "UTF8"; empty if the dump does not say

    // The text from its first row to the end marker and two line feeds. Whoever has read it to its end has read all of
    // it: a stream that breaks is corrupt. May be called by several threads, each for a stream of its own.
    Result<std::unique_ptr<ByteStream>> open(const TableText& table) const;

private:
    explicit TableTexts(Effort& effort) : effort_(&effort) {}
    Result<void> read_contents(ArchiveReader& reader);
    Result<void> take(const TocEntry& entry);
    void take_key(const TocEntry& entry);
    struct PackedFile {
        const Member* file = nullptr;
        Packing packing{};
    };
    Result<PackedFile> file_of(const TableText& table) const;
    // Along the framing, where the table of contents does not say where the blocks are.
    Result<void> find_blocks(std::uint64_t begin);

    Effort* effort_;
    const ByteSource* source_ = nullptr;   // custom format
    std::map<std::string, Member> files_;  // else, by name
    DumpHeader header_;
    std::string encoding_;
    std::set<std::int64_t> made_;  // the tables that the dump makes
    std::vector<TableText> tables_;
    std::vector<std::int64_t> others_, behind_;
    bool has_statements_ = false;
    std::int64_t section_ = 0;  // of the last entry that has one: those without go with it, as pg_restore has it
};

}  // namespace kedge::verify
