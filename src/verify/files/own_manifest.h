// Kedge's own manifest beside a backup on disk: making it, and holding the backup against it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/files/folder.h"
#include "verify/manifest/block_manifest.h"

namespace kedge::verify {

// Whether `name` in `folder` is a manifest, a digest or globals that stand beside a backup of the same folder.
bool is_companion(const Folder& folder, std::string_view name);

bool has_own_manifest(const std::string& path);

// The files of the backup at `path` and the globals beside it, by the names that a manifest has for them. What they
// read is counted in `effort`, which outlives them.
Result<std::vector<Member>> manifested_members(const std::string& path, const Limits& limits, Effort& effort);

// The digest of the content of the backup at `path`, as its manifest has it or would: all of it is read.
Result<std::string> content_digest(const std::string& path, const Limits& limits, Effort& effort);

// As check_manifest, on the manifest beside `path`.
Result<void> hold_against_own_manifest(const std::string& path, Examination& examination, const Limits& limits,
                                       Effort& effort);

}  // namespace kedge::verify
