// Files below one directory, and never outside it, whatever their names say and whoever swaps a directory for a
// link meanwhile: each part of a name is opened in the directory before it, and no symbolic link is followed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/descriptor.h"

namespace kedge {

// Parts of a relative name with `/`. invalid_input for an empty one, `.`, `..`, an absolute name, a NUL or a
// control character, or a part that is kept for files being written.
Result<std::vector<std::string>> parts_of_name(std::string_view name);

// Whether `name`'s last part is that of a file that is still being written, or was left so by a crash.
bool is_unfinished(std::string_view name);

class Beneath {
public:
    // The directory itself may be reached through links. not_found if there is none.
    static Result<Beneath> open(const std::string& directory);

    // not_found; invalid_input for a bad name or a file of more than `bytes_max`; refused for what is no regular file
    // or lies behind a link.
    Result<std::string> read(const std::string& name, std::uint64_t bytes_max) const;
    // Makes the file with all its content, durably, or not at all; the directories on the way are made. conflict if
    // the name is taken: what is there stays.
    Result<void> create(const std::string& name, std::string_view content) const;

private:
    Beneath(std::string path, Descriptor directory) : path_(std::move(path)), directory_(std::move(directory)) {}
    enum class Missing { fail, make };
    Result<Descriptor> parent_of(const std::vector<std::string>& parts, Missing missing) const;

    std::string path_;
    Descriptor directory_;
};

}  // namespace kedge
