// Kedge's own manifest of a backup: a digest of every block, so that a change of any single byte after the backup was
// taken is found, whatever the backup's own format protects.
//
// Beside a backup NAME (a file or a directory) lie, for a dump, NAME.globals.sql, and always
//
//     NAME.kedge-manifest          the digests, as JSON (docs/formats/backup-manifest.md)
//     NAME.kedge-manifest.sha256   the digest of that file, as `sha256sum` writes it: what one would sign
//
// In the manifest the backup is called `data`, its globals `globals`, so that it may be renamed with its companions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/member.h"

namespace kedge::verify {

inline constexpr std::string_view globals_suffix = ".globals.sql";
inline constexpr std::string_view manifest_suffix = ".kedge-manifest";
inline constexpr std::string_view manifest_digest_suffix = ".kedge-manifest.sha256";
// The backup that a file beside it belongs to, by its name: "a.dump" of "a.dump.kedge-manifest". Empty if the name is
// not that of a companion.
std::string_view backup_of_companion(std::string_view name);

// The names of members in a manifest. `data` alone if the backup is a file.
std::string data_path(std::string_view name_in_backup);
inline constexpr std::string_view globals_path = "globals";

inline constexpr std::size_t manifest_block_bytes = std::size_t{1} << 20;
inline constexpr std::size_t manifest_bytes_max = std::size_t{256} << 20;  // of the manifest of four terabytes

struct BlockDigests {
    std::string path;
    std::uint64_t bytes = 0;
    std::vector<std::string> blocks;  // SHA-256 of each block, in order; the last may be shorter
};

struct BlockManifest {
    std::string kind;  // of the backup: "dump"
    std::string of;    // the target that it is of
    Moment taken{}, made{};
    std::vector<BlockDigests> files;  // by path

    // SHA-256 of the canonical form of `files`: one digest for the content as a whole, wherever it lies.
    std::string digest() const;
};

// Reads all members; their paths are those that the manifest has. Errors are those of the medium, or of a stop.
Result<std::vector<BlockDigests>> digest_blocks(const std::vector<Member>& members, Effort& effort);

std::string manifest_text(const BlockManifest& manifest);
// What NAME.kedge-manifest.sha256 holds.
std::string manifest_digest_text(std::string_view manifest_text, const std::string& manifest_name);

// Holds what lies there against the manifest: a finding for each block that differs, for files that are missing, extra
// or of another size, for a manifest that was altered itself; a proof of the rung `checksummed` if all fits.
// `manifest_text` and `digest_text` are what the two files hold.
Result<void> check_manifest(std::string_view manifest_text, std::string_view digest_text,
                            const std::vector<Member>& members, Examination& examination, Effort& effort);

}  // namespace kedge::verify
