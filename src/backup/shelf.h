// What lies where a policy's backups should lie: each with the time that it says of itself, without reading it whole.
//
// A backup is a file or a directory in the policy's directory; the manifest and the globals beside it belong to it.
// What `backup create` has not finished (`.kedge-new-...`) is no backup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "estate/estate.h"
#include "verify/effort.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::backup {

// Names before a backup got its own.
inline constexpr std::string_view unfinished_prefix = ".kedge-new-";

struct StoredBackup {
    std::string name, path;
    std::optional<Moment> taken;  // by what stands in it; nothing: it does not say, or is no backup of the kind
    std::string unusable;         // why it is none of the policy's; empty: it begins as one
    Moment modified{};            // the newest change of its files, as the file system has it
    std::uint64_t bytes = 0;      // on disk, its companions not counted
    bool has_manifest = false;
    std::string log_begins;  // of a base backup: the segment of the log that it needs first; empty: it does not say
    // Changes when a file of it is changed, replaced, added or removed: of names, sizes, inodes and change times.
    std::string fingerprint;
};

// A file of the log archive.
struct LogFile {
    verify::WalFileName parts;
    std::string name;
    std::uint64_t bytes = 0;
    Moment modified{};  // as the file system has it
};

// The log archive, by the names of its files.
struct StoredLog {
    std::vector<LogFile> files;                         // those whose names belong to a log, by their names
    std::uint64_t segments = 0, bytes = 0, others = 0;  // others: partial, history, backup history
    std::string oldest, newest;                         // names of segments
    Moment oldest_modified{}, newest_modified{};        // as the file system has it
    std::vector<std::string> gaps;                      // "000000010000000000000005 to 000000010000000000000007"
    std::uint64_t missing = 0;
};

struct Shelf {
    std::string directory;
    std::vector<StoredBackup> backups;  // newest first, by `taken`; those that do not say last
    StoredLog log;                      // of a policy of that kind
    // What a process that was killed left, while it took one or removed one: names. Nobody else makes any as long as
    // the policy's lock is held.
    std::vector<std::string> unfinished;

    const StoredBackup* newest() const;  // that could be used; null if there is none
};

// Where the policy's backups lie. invalid_input if its store is not one of files.
Result<std::string> directory_of(const Estate& estate, const BackupPolicy& policy);
// The same, for who writes there: made if need be, but only below the store's own directory. not_found if that is not
// there: what should lie on a volume that is not mounted must not land on the disk under it.
Result<std::string> make_directory_of(const Estate& estate, const BackupPolicy& policy);

// The policy, then those that copy it.
std::vector<const BackupPolicy*> with_copies(const Estate& estate, const BackupPolicy& policy);
// Of these, the directories that are there. not_found if none is.
Result<std::vector<std::string>> directories_of(const Estate& estate, const BackupPolicy& policy);

// not_found if there is no such directory. Of a copy, what lies there is of the kind that it copies.
Result<Shelf> look_at_shelf(const Estate& estate, const BackupPolicy& policy, Moment now);

// What lies on the policy's shelf and on those of its copies, newest first; each before its copies.
struct Shelves {
    std::vector<StoredBackup> backups;
    std::string where;  // "/backups/dumps, /elsewhere/dumps"
};
// A shelf that is gone is what copies are for. Fails only if none can be looked at.
Result<Shelves> look_at_shelves(const Estate& estate, const BackupPolicy& policy, Moment now);

// The fingerprint, size and newest change of the file or directory at `path`.
struct Footprint {
    std::string fingerprint;
    std::uint64_t bytes = 0;
    Moment modified{};
};
Result<Footprint> footprint_of(const std::string& path);

// Removes the file, or the directory with all below it. Nothing there is success.
Result<void> remove_stored(const std::string& path);

}  // namespace kedge::backup
