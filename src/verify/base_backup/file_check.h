// One file of a base backup, read once: its size, its checksum, its pages.
#pragma once

#include <optional>
#include <string>

#include "verify/base_backup/manifest.h"
#include "verify/base_backup/page_tally.h"
#include "verify/base_backup/relation_file.h"
#include "verify/examination.h"

namespace kedge::verify {

struct CheckedFile {
    std::string path;
    std::uint64_t bytes = 0;
    bool listed = false;    // in the manifest
    bool compared = false;  // its checksum is in the manifest, and fits
    std::optional<RelationFile> relation;
    PageTally pages;
    std::string text;  // of a small file whose content is judged later
    Findings findings;
};

// Whether the content of a file of this path is kept as `text`.
bool is_kept(std::string_view path);

// `listed` is its entry in the manifest, if there is one. An error means that it could not be read.
Result<CheckedFile> check_file(ByteStream& stream, std::string path, const ManifestFile* listed,
                               std::uint32_t segment_pages);

}  // namespace kedge::verify
