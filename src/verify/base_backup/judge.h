// What the parts of a base backup say of each other, once all of it is read.
#pragma once

#include "verify/base_backup/base_backup.h"
#include "verify/base_backup/reading.h"

namespace kedge::verify {

// Adds to the findings, facts and proofs of `backup`. Each looks at one thing.
void judge_file_set(BaseBackup& backup, const ReadBackup& read);
void judge_control(BaseBackup& backup, const ReadBackup& read);
void judge_label(BaseBackup& backup, const ReadBackup& read);
void judge_small_files(BaseBackup& backup, const ReadBackup& read);
void judge_relation_segments(BaseBackup& backup, const ReadBackup& read);
// Reads the log that the backup brings along, too: it decides about pages that were written while they were copied.
void judge_pages_and_wal(BaseBackup& backup, const ReadBackup& read, const Limits& limits, Effort& effort);
void report(BaseBackup& backup, const ReadBackup& read);

const CheckedFile* find_file(const ReadBackup& read, std::string_view path);

}  // namespace kedge::verify
