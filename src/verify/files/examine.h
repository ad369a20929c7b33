// Examines whatever backups lie at a path: what each is, is told by its content and never by its name.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "verify/effort.h"
#include "verify/examination.h"

namespace kedge::verify {

// What a backup is as a whole: decides how it would be restored.
enum class Shape {
    unknown,
    rdb,
    aof_file,
    aof_directory,
    custom_dump,
    tar_dump,
    directory_dump,
    plain_dump,
    base_backup,
    wal_archive,
};

struct ExaminedBackup {
    Shape shape{};
    bool is_packed = false;  // the whole of it, by a compressor of its own
    Examination examination;
};

struct ExaminedPath {
    std::vector<ExaminedBackup> backups;   // in the order of their names
    std::vector<std::string> passed_over;  // files of a folder that are no backup, links that lead out of it
};

struct ExamineOptions {
    Moment now;  // decides what lies in the future and which keys have expired
    Limits limits{};
    // Before each backup: where it lies and how many bytes will be read of it at most.
    std::function<void(const std::string& path, std::uint64_t bytes)> on_begin{};
};

// A file, or a directory that is a backup or holds several. not_found, not_allowed, refused (a device, more entries
// than are looked into), unavailable (cannot be read, or the effort was stopped).
Result<ExaminedPath> examine_path(const std::string& path, const ExamineOptions& options, Effort& effort);

// What comes through a descriptor, from the front and once.
Result<ExaminedPath> examine_input(int descriptor, const ExamineOptions& options, Effort& effort);

}  // namespace kedge::verify
