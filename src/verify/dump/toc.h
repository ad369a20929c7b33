// The head of a pg_dump archive and the entries of its table of contents, one at a time.
//
// Format: WriteHead, WriteToc of pg_backup_archiver.c, archive versions 1.12 (PostgreSQL 9.0) to 1.16 (17, 18). Here is
// read what is there; whether it fits together is the catalogue's question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "verify/dump/archive_reader.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

inline constexpr std::string_view dump_magic = "PGDMP";

struct DumpHeader {
    // How the data is laid out; a tar's toc.dat says `tar` like that of a directory.
    enum class Format { custom = 1, tar = 3, directory = 5 };

    int version_minor = 0;  // 1.N
    int integer_bytes = 0, offset_bytes = 0;
    Format format{};
    Packing packing{};                    // of the data, `gzip` also where the stream is a zlib one
    std::optional<int> level;             // up to 1.14
    std::optional<Moment> created_local;  // the dumping host's local time, read as if it were UTC
    std::string database, server_version, dump_version;
};

struct TocEntry {
    std::uint64_t offset = 0;  // where it begins
    std::int64_t id = 0;
    std::int64_t has_data = 0;                // "hadDumper": whether a block or file of data belongs to it
    std::string catalog_oid, oid, tag, kind;  // kind: "TABLE", "TABLE DATA", ...
    std::int64_t section = 0;
    // The first `definition_bytes_max` bytes of each; empty where the archive has NULL.
    std::string definition, drop, name_space, tablespace, owner, with_oids;
    std::optional<std::string> copy;
    std::int64_t relation_kind = 0;
    std::vector<std::int64_t> dependencies;  // the first `dependencies_max`
    ArchiveReader::Offset data;              // custom format: where its block is
    std::string file;                        // directory and tar: the name of its file, without suffix
    // The first text that holds a zero byte, which PostgreSQL has in no text.
    std::optional<std::string_view> zero_byte_in;
};

inline constexpr std::size_t definition_bytes_max = 1u << 20;
inline constexpr std::size_t dependencies_max = 10'000;

// What the entry ENCODING says: "UTF8" of "SET client_encoding = 'UTF8';". Empty if it says nothing.
std::string encoding_in(std::string_view definition);

// Reads the magic and the head, and sets the reader's widths. Fault::corrupt for what cannot be; Fault::refused for a
// version that is newer than those known here, and older than 1.12.
Result<DumpHeader> read_header(ArchiveReader& reader);

// Reads the next entry into `entry`, whose former content is dropped.
Result<void> read_entry(ArchiveReader& reader, const DumpHeader& header, TocEntry& entry);

}  // namespace kedge::verify
