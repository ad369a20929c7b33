// Dumps assembled from the documented layout, in every archive version and compression, for what the PostgreSQL of this
// system does not write. What its own pg_dump writes comes from `real_dumps.h`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pack.h"

namespace kedge::verify {

struct WrittenTable {
    std::string name;
    std::vector<std::string> columns;
    std::string text;        // rows, without the end marker
    bool terminated = true;  // whether the end marker follows
};

struct WrittenDump {
    int minor = 16;  // archive version 1.N
    Packing packing = Packing::gzip;
    Checksum checksum = Checksum::absent;  // of lz4 and zstd; pg_dump writes none
    bool positions = true;                 // whether the table of contents says where the blocks are
    std::size_t chunk_bytes = 4096;
    std::string encoding = "UTF8";
    std::vector<WrittenTable> tables;
    std::map<std::uint32_t, std::string> objects;  // large objects by OID
};

// Two tables and two large objects.
WrittenDump sample_dump();

std::string custom_archive(const WrittenDump& dump);
// By file name.
std::map<std::string, std::string> directory_dump(const WrittenDump& dump);
// The files one after the other, as pg_dump orders them.
std::string tar_dump(const WrittenDump& dump);
std::string tar_of(const std::vector<std::pair<std::string, std::string>>& members);

}  // namespace kedge::verify
