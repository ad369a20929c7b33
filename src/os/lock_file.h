// A file whose lock proves that the process which took it is alive, with a short note of that process inside.
//
// The lock is an open-file-description lock (fcntl(2), F_OFD_SETLK): the kernel frees it at once when its
// holder ends, however it ends; two holders in one process exclude each other as two processes do; and
// others can ask whether it is held without taking it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/descriptor.h"

namespace kedge {

inline constexpr std::size_t lock_note_bytes_max = 512;

class LockFile {
public:
    // Creates the file if it is absent. Nothing if somebody else holds it.
    static Result<std::optional<LockFile>> try_acquire(const std::string& path);
    // Whether somebody holds it, this process included. A file that is absent is held by nobody. Needs only
    // the right to read.
    static Result<bool> is_held(const std::string& path);
    // The last note, of whoever wrote it; nothing if the file is absent or empty. It is read without the
    // lock, so it may be seen while it is being written: give it a checksum.
    static Result<std::optional<std::string>> read_note(const std::string& path);

    // Replaces the note, at most `lock_note_bytes_max`. It is not synced: it survives the process, not
    // necessarily a loss of power.
    Result<void> write_note(std::string_view note);
    // Removes the file. Who asks for the lock from now on gets another one: nothing may be done under this any more.
    void remove();

private:
    LockFile(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

    std::string path_;
    Descriptor file_;
};

// Which file a path names now: it changes when the file is replaced by another. Nothing if there is none.
struct FileIdentity {
    unsigned long long device = 0, inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
std::optional<FileIdentity> file_identity(const std::string& path);

}  // namespace kedge
