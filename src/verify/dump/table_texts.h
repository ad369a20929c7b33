// The rows of a dump's tables for whoever loads them: which entries hold some, and the text of each as it was written.
//
// The dump was verified before (dump.h): what does not fit is Fault::corrupt here, and never a finding.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "verify/bytes.h"
#include "verify/dump/row_texts.h"
#include "verify/dump/toc.h"
#include "verify/effort.h"
#include "verify/member.h"

namespace kedge::verify {

class TableTexts final : public RowTexts {
public:
    // Of a dump in custom format. `source` and `effort` outlive it.
    static Result<TableTexts> of_custom(const ByteSource& source, Effort& effort);
    // Of the files of a dump in directory format, or of the members of a tar. What they read outlives it.
    static Result<TableTexts> of_files(std::vector<Member> files, Effort& effort);

    // In the order of the table of contents.
    const std::vector<TableText>& tables() const override { return tables_; }
    // The entries of the dump's section of data that are none of these, in that order: large objects, sequences, rows
    // as INSERT statements.
    const std::vector<std::int64_t>& others() const { return others_; }
    // Whether rows of a table are among those.
    bool has_statements() const { return has_statements_; }
    // The entries behind that section, in that order.
    const std::vector<std::int64_t>& behind() const { return behind_; }
    const std::string& encoding() const override { return encoding_; }
    struct MadeTable {
        std::string schema, table;         // without quotes
        std::vector<std::int64_t> keys{};  // as TableText::keys
    };
    // The tables that the dump makes, whether it has rows of them or not, by their entries.
    const std::map<std::int64_t, MadeTable>& made() const { return made_; }

    // corrupt for a stream that breaks.
    Result<std::unique_ptr<ByteStream>> open(const TableText& table) const override;

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
    std::map<std::int64_t, MadeTable> made_;
    std::vector<TableText> tables_;
    std::vector<std::int64_t> others_, behind_;
    bool has_statements_ = false;
    std::int64_t section_ = 0;  // of the last entry that has one: those without go with it, as pg_restore has it
};

}  // namespace kedge::verify
