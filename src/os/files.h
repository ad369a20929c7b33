// Files and directories: bounded reads, durable writes, locks, removal that stays below its root.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/descriptor.h"

namespace kedge {

inline constexpr std::size_t file_bytes_max = 16u << 20;

// The whole content of a regular file. not_found; refused for a larger file, a directory or a device;
// not_allowed without the right to read.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = file_bytes_max);

enum class Durability { after_power_loss, after_process_death };

// The content is there as a whole or not at all: a temporary file beside it, then rename; for `after_power_loss` with
// fsync of the file before and of the directory behind. The old file is kept on every error but outcome_unknown (the
// last fsync failed).
Result<void> write_file_atomically(const std::string& path, std::string_view content, mode_t mode = 0600,
                                   Durability durability = Durability::after_power_loss);

bool exists(const std::string& path);

// Gives the file or directory `from` the name `to` on the same file system, and syncs the name. conflict if there is
// something at `to`.
Result<void> rename_into_place(const std::string& from, const std::string& to);

// Copies a regular file of any size, as `write_file_atomically` writes one.
Result<void> copy_file(const std::string& from, const std::string& to, mode_t mode);

// Makes `path` and what is missing above it, each with `mode`. An existing directory is left as it is.
Result<void> make_directories(const std::string& path, mode_t mode = 0700);

// Removes `path` and everything below it. Follows no symbolic link (removes the link itself), enters no other file
// system, and goes through directory descriptors, so that nobody who renames things meanwhile leads it elsewhere.
// Nothing there is success. refused if `path` is itself a link or not absolute, or has fewer than two components.
Result<void> remove_tree(const std::string& path);

// An exclusive advisory lock (flock) on a file, held until destroyed or until the process ends, however it ends.
class FileLock {
public:
    // Creates the file if it is absent. conflict, with the pid of the holder if it wrote one, if somebody holds it.
    // The holder's pid is written into the file.
    static Result<FileLock> acquire(const std::string& path);

private:
    explicit FileLock(Descriptor file) : file_(std::move(file)) {}

    Descriptor file_;
};

// Where Kedge keeps its journal: `chosen` (--state), else $KEDGE_STATE, else $STATE_DIRECTORY (systemd gives the
// service /var/lib/kedge there), else $XDG_STATE_HOME/kedge, else ~/.local/state/kedge. Made absolute; not created.
// not_found if no home directory is known.
Result<std::string> state_directory(const std::optional<std::string>& chosen);

}  // namespace kedge
