// Examines append-only files of Redis: the directory with a manifest that 7.0 and later write, and the single file of
// earlier ones, with a snapshot in front or without.
//
// Formats: redis/src/aof.c. An append-only file has no checksum: what can be proved without a server is that its
// commands follow each other to its end. A file that ends inside a command is what a crash leaves behind, and told
// apart from one in which something is wrong.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "verify/member.h"
#include "verify/redis/aof_manifest.h"
#include "verify/redis/intake.h"
#include "verify/redis/rdb.h"

namespace kedge::verify {

// Whether a file that begins so (64 bytes are enough) may be an append-only file without a snapshot in front.
bool looks_like_aof(Bytes beginning);

// Errors as those of `examine_rdb`. A file with a snapshot in front is a matter for that.
Result<Examination> examine_aof(ByteStream& stream, Effort& effort);

// `files` are those of the directory; the manifest among them is found by its content. not_found if there is none.
Result<Examination> examine_aof_directory(std::span<const Member> files, const RdbOptions& options, Effort& effort);

}  // namespace kedge::verify
