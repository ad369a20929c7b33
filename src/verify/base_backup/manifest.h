// `backup_manifest` of a base backup, versions 1 and 2 (PostgreSQL 13 to 18: common/parse_manifest.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "verify/bytes.h"
#include "verify/effort.h"

namespace kedge::verify {

enum class ManifestChecksum : std::uint8_t { none, crc32c, sha224, sha256, sha384, sha512 };
std::string_view to_string(ManifestChecksum algorithm);
std::optional<ManifestChecksum> manifest_checksum_named(std::string_view name);
std::size_t checksum_bytes(ManifestChecksum algorithm);

struct ManifestFile {
    std::string path;  // relative to the data directory, as it was there: any bytes
    std::uint64_t bytes = 0;
    ManifestChecksum algorithm = ManifestChecksum::none;
    std::string checksum;  // the bytes themselves, as many as the algorithm has
};

struct WalRange {
    std::uint32_t timeline = 0;
    Lsn start, end;
};

struct Manifest {
    int version = 0;
    std::optional<std::uint64_t> system_identifier;  // from version 2 on
    std::vector<ManifestFile> files;                 // by path, each once
    std::vector<WalRange> ranges;                    // newest timeline first
    bool checksum_fits = false;                      // its own
    std::uint64_t bytes = 0;

    const ManifestFile* find(std::string_view path) const;
};

// Reads it in pieces: the memory it costs is that of its entries, of which there are at most `limits.objects_max`.
// corrupt, with the offset, for anything that PostgreSQL would not take, but for a wrong checksum of its own.
Result<Manifest> read_manifest(ByteStream& stream, const Limits& limits);

}  // namespace kedge::verify
