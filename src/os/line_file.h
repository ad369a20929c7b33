// Files of lines that several processes append to: one at a time, durably, and never onto a torn line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/descriptor.h"
#include "os/wait.h"

namespace kedge {

class LineFile {
public:
    // Opens the file, or makes it with mode 0600, and holds it against every other LineFile until this object
    // goes (an open-file-description lock). The directory must exist. unavailable if another holds it too long.
    static Result<LineFile> open(const std::string& path, const Until& until);

    // Everything in it. refused if that is more than `bytes_max`.
    Result<std::string> content(std::size_t bytes_max) const;
    // Adds `line`, which has no end of its own, and syncs it. A last line that a crash left without its end is
    // ended first. unavailable: nothing was added; outcome_unknown: the sync failed.
    Result<void> append(std::string_view line);

private:
    LineFile(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

    std::string path_;
    Descriptor file_;
};

struct LastLines {
    std::string text;  // whole lines, each with its end
    bool from_the_start = false;
};
// The lines in the last `bytes` of a regular file: not the one that is cut at the beginning, nor one at the end that
// is still being written. Errors as of `read_file`.
Result<LastLines> read_last_lines(const std::string& path, std::size_t bytes);

}  // namespace kedge
