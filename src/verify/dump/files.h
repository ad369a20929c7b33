// The files of a dump in a directory or tar, by what the table of contents says of them.
//
// Format: pg_backup_directory.c and pg_backup_tar.c. `toc.dat`; the rows of a table in the file that its entry names; a
// large object in `blob_OID.dat`; the list of large objects in `blobs.toc`, or from 1.16 on `blobs_ID.toc` for each
// group. All but the lists may have a suffix for their compression.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "verify/dump/catalogue.h"
#include "verify/dump/data_check.h"
#include "verify/examination.h"
#include "verify/member.h"
#include "verify/unpack/tar.h"

namespace kedge::verify {

// What a file is, by its name.
struct DumpFile {
    enum class Role { table, large_object, object_list, other } role{};
    std::size_t entry = 0;  // in `Catalogue::data`: of a table, of a list
    std::uint32_t oid = 0;
    Packing packing{};
};

class DumpFiles {
public:
    DumpFiles(const Catalogue& catalogue, const Limits& limits);

    DumpFile role_of(std::string_view name) const;

    // Decodes a file. Files of tables and large objects may be checked by several threads at once.
    Result<void> check(const DumpFile& file, std::string_view name, ByteStream& bytes);

    // After the last file: what is missing, and whether the lists, the large objects and the table of contents agree.
    // The results, in the order of `Catalogue::data`, with what belongs to no entry in `findings`.
    std::vector<DataResult> finish(Findings& findings);

private:
    struct Object {
        DataResult result;
        std::uint64_t files = 0;
    };

    Result<void> check_rows(const DumpFile& file, std::string_view name, ByteStream& bytes);
    Result<void> check_object(const DumpFile& file, std::string_view name, ByteStream& bytes);
    Result<void> read_list(const DumpFile& file, std::string_view name, ByteStream& bytes);
    void check_file_name(const DataEntry& entry, std::size_t index);
    void reconcile(std::size_t index, Findings& findings);

    const Catalogue& catalogue_;
    const Limits& limits_;
    std::unordered_map<std::string, DumpFile> known_;  // tables and lists, by name without suffix
    std::mutex mutex_;
    // Guarded by the mutex.
    std::vector<DataResult> results_;
    std::map<std::uint32_t, Object> objects_;  // by OID
    std::map<std::size_t, std::vector<std::uint32_t>> lists_;
};

// The members of a tar as streams over its source, which outlives them.
std::vector<Member> tar_members(const TarIndex& index, const ByteSource& source);

// What a file's name may end with besides, and how it is packed then.
struct PackedSuffix {
    std::string_view text;
    Packing packing;
};
inline constexpr std::array<PackedSuffix, 3> packed_suffixes{
    {{".gz", Packing::gzip}, {".lz4", Packing::lz4}, {".zst", Packing::zstd}}};

// Whether pg_dump may have given a file this name: nothing of it leads elsewhere.
bool is_plain_name(std::string_view name);

}  // namespace kedge::verify
