// The file of one claim, claims/RUN: its lock proves that the controller lives, its note remembers what that
// controller knows to be durable.
//
// The note is written after each commit and never before, and is not synced. So in all ordinary cases,
// kill -9 and loss of power included, the database is as new as the note or newer. A database that is older
// was put back from a copy, or lost its write-ahead log: that is what `remembered` is compared for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/journal.h"
#include "os/lock_file.h"

namespace kedge {

// What a claim knows to be durable: the last entry of its run.
struct Remembered {
    RunId run;
    Epoch epoch = 0;
    Position last = 0;
    std::string digest;
};

class ClaimFile {
public:
    // Nothing if another controller holds it. `directory` is the journal's; `run` was checked to be a name.
    static Result<std::optional<ClaimFile>> acquire(const std::string& directory, const RunId& run);
    static Result<bool> is_held(const std::string& directory, const RunId& run);
    // The notes of all claims of runs that have not ended; a note that is torn or absent is left out.
    static Result<std::vector<Remembered>> remembered(const std::string& directory);

    // A failure is left unsaid: the note guards against accidents, nothing rests on it.
    void remember(const Remembered& known);
    // The run has ended: nobody will claim it again.
    void retire() { lock_.remove(); }

private:
    explicit ClaimFile(LockFile lock) : lock_(std::move(lock)) {}

    LockFile lock_;
};

// The directory that holds the files.
std::string claims_directory(const std::string& directory);

}  // namespace kedge
