// Verifies what pg_dump writes: custom archives, directories and tars, archive versions 1.12 to 1.16 (PostgreSQL 9.0 to
// 18), compressed with gzip, lz4, zstd or not at all.
//
// Everything is read: the table of contents and how it fits together, every block of data to the end of its stream,
// every row. Nothing is written and no name from inside opens anything. What the format cannot prove is said: only gzip
// brings a checksum of the data, and the table of contents never has one.
//
// Each function answers with an examination, whatever the bytes are; an error is the medium's or the caller's wish to
// stop. Memory stays below 200 MiB, or the window that a zstd stream asks for on top.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "verify/bytes.h"
#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/member.h"

namespace kedge::verify {

// Whether these may be the first bytes (512 are enough) of a custom archive; of a tar that pg_dump wrote.
bool begins_custom_dump(Bytes front);
bool begins_tar_dump(Bytes front);

// Blocks are decoded on `effort.threads` threads.
Result<Examination> verify_custom_dump(const ByteSource& source, Effort& effort, const Limits& limits);
Result<Examination> verify_tar_dump(const ByteSource& source, Effort& effort, const Limits& limits);
// `members`: all files of the directory, by their names in it.
Result<Examination> verify_directory_dump(std::span<const Member> members, Effort& effort, const Limits& limits);

// The same from the front, on one thread. `name` is for messages.
Result<Examination> verify_custom_dump(ByteStream& stream, const std::string& name, Effort& effort,
                                       const Limits& limits);
Result<Examination> verify_tar_dump(ByteStream& stream, const std::string& name, Effort& effort, const Limits& limits);

}  // namespace kedge::verify
