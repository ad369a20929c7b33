// What a dump says it holds, and whether that fits together. Keeps of the table of contents what the data is checked
// against, within a bounded memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "verify/dump/toc.h"
#include "verify/effort.h"
#include "verify/examination.h"

namespace kedge::verify {

// An entry that data belongs to.
struct DataEntry {
    std::int64_t id = 0;
    enum class Kind { table, large_objects } kind{};
    std::string name;                    // "public.debates"; the tag of large objects
    bool is_copy = false;                // else INSERT statements
    std::optional<std::size_t> columns;  // of the COPY list; nothing where that could not be read
    ArchiveReader::Offset data;
    std::string file;
    std::vector<std::uint32_t> objects;  // 1.16: the OIDs its large objects must have
};

class Catalogue {
public:
    Catalogue(DumpHeader header, const Limits& limits, std::string where)
        : header_(std::move(header)), limits_(limits), where_(std::move(where)) {}

    // Reads all entries. What does not fit becomes a finding; corrupt where the table itself cannot be read on.
    Result<void> read(ArchiveReader& reader, Findings& findings);

    const DumpHeader& header() const { return header_; }
    const std::vector<DataEntry>& data() const { return data_; }  // in the order of the table of contents
    std::uint64_t end() const { return end_; }                    // the byte behind the last entry
    std::size_t entries() const { return ids_.size(); }
    const std::string& encoding() const { return encoding_; }  // "UTF8"; empty if the dump does not say
    const std::map<std::string, std::uint64_t>& kinds() const { return kinds_; }  // how many entries of each
    // Up to 1.15: the OIDs of all BLOB entries, ascending.
    const std::vector<std::uint32_t>& large_objects() const { return large_objects_; }

private:
    // What the data of a table is held against.
    struct Table {
        std::string name, tag, name_space, owner, oid;
        std::vector<std::uint64_t> columns;  // hashes of their names as written; empty where not all are written there
    };

    void add(const TocEntry& entry, Findings& findings);
    void check_fields(const TocEntry& entry, Findings& findings);
    void add_table(const TocEntry& entry);
    void add_data(const TocEntry& entry, Findings& findings);
    void check_table_data(const TocEntry& entry, DataEntry& data, Findings& findings);
    void link_large_objects(const TocEntry& entry, DataEntry& data);
    void check_whole(Findings& findings);
    void complain(Findings& findings, const TocEntry& entry, std::string code, std::string says) const;
    bool keep(std::size_t bytes) { return (kept_bytes_ += bytes) <= kept_bytes_max; }

    // Of memory for what is remembered of the entries.
    static constexpr std::size_t kept_bytes_max = 128u << 20;

    DumpHeader header_;
    Limits limits_;
    std::string where_;
    std::vector<DataEntry> data_;
    std::vector<std::int32_t> ids_;
    std::unordered_map<std::int64_t, Table> tables_;
    std::unordered_map<std::int64_t, std::vector<std::uint32_t>> object_groups_;  // of BLOB METADATA entries
    std::vector<std::uint32_t> large_objects_;
    std::map<std::string, std::uint64_t> kinds_;
    std::string encoding_;
    std::size_t kept_bytes_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace kedge::verify
