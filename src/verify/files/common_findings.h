// What can be found in a backup of any format: by the file that it is in, by the clock, by the compressor around it.
#pragma once

#include "verify/effort.h"
#include "verify/examination.h"
#include "verify/files/file_source.h"
#include "verify/files/recognise.h"
#include "verify/member.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

// It says that it was taken later than now, by more than clocks differ.
void find_future(Examination& examination, Moment now);

// The file grew, shrank or was written while it was read, or it is older than what it holds.
Result<void> find_changes(Examination& examination, const FileSource& source);

// Files of a directory of which one look says another size than the other, before and after they were read. What came
// or went between is no matter: archives grow.
void find_changes(Examination& examination, const std::vector<Member>& before, const std::vector<Member>& after);

// Reads a stream to its end, so that what its end says is known.
Result<void> read_out(ByteStream& stream, Effort& effort);

// What the compressor around the whole says after it was read to the end.
void tell_packing(Examination& examination, Packing packing, const Unpacker& unpacker);

// Of what cannot be examined, and why.
Examination unrecognised(Bytes front);
Examination unrecognised_folder(const std::string& path, std::size_t files);
Examination part_of_directory(Format format);
// A tar by itself: one of a base backup is told as a part of it. `front` shows how the file begins.
Result<Examination> lone_tar(ByteStream& stream, Bytes front);
Examination plain_dump();

}  // namespace kedge::verify
