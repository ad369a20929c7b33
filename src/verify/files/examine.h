// Examines whatever backups lie at a path: what each is, is told by its content and never by its name.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
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

// Something that a folder with several backups holds, and why it could not be examined.
struct UnreadPath {
    std::string path;
    Error error;
    // The same as an examination that proves nothing: one doubt.
    Examination examination() const;
};

struct ExaminedPath {
    std::vector<ExaminedBackup> backups;   // in the order of their names
    std::vector<std::string> passed_over;  // files of a folder that are no backup, links that lead out of it
    std::vector<UnreadPath> unread;        // only where `Unreadable::is_listed` was asked for
};

// What comes of something that cannot be read.
enum class Unreadable {
    fails,      // an error, and nothing of the path is examined: a part is never taken for the whole
    is_listed,  // in `unread`, and all else of the folder is examined; beside one backup it is a doubt of that backup
};

struct ExamineOptions {
    Moment now;  // decides what lies in the future and which keys have expired
    Limits limits{};
    // Before each backup: where it lies and how many bytes will be read of it at most.
    std::function<void(const std::string& path, std::uint64_t bytes)> on_begin{};
    Unreadable unreadable = Unreadable::fails;
};

// A file, or a directory that is a backup or holds several. not_found, not_allowed, refused (a device, more entries
// than are looked into), unavailable (cannot be read, or the effort was stopped). A directory that is one backup is an
// error if a file directly in it cannot be read, whatever comes of others.
Result<ExaminedPath> examine_path(const std::string& path, const ExamineOptions& options, Effort& effort);

// What comes through a descriptor, from the front and once.
Result<ExaminedPath> examine_input(int descriptor, const ExamineOptions& options, Effort& effort);

}  // namespace kedge::verify
