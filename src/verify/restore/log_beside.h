// The log that goes with a copy of a base backup. A file of the archive that a server can read as it is becomes a link,
// the others are unpacked and copied.
//
// A server only reads the files that it replays, and removes a link to one where it would use a file of its own again
// (RemoveXlogFile of xlog.c). The one that it stops in it opens to write and gives another name
// (CleanupAfterArchiveRecovery): the newest are never links.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/process.h"
#include "verify/member.h"

namespace kedge::verify {

class LogBeside {
public:
    // Of `wal`, which outlives it, what recovery may ask for: segments and histories. `owner` is who reads it.
    static Result<LogBeside> of(const std::vector<Member>& wal, const std::optional<Login>& owner,
                                const std::stop_token& stop);

    std::size_t files() const { return linked_.size() + copied_.size(); }
    std::uint64_t bytes() const;  // on the disk, as segments of the usual size or as long as they are
    // Into a directory that is there and empty.
    Result<void> write(const std::string& directory, const std::stop_token& stop) const;
    const std::vector<const Member*>& linked() const { return linked_; }

private:
    std::vector<const Member*> linked_, copied_;
};

}  // namespace kedge::verify
