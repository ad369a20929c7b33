// Judges what a policy's backups are worth now, question by question, with evidence.
//
//     fresh       the newest is as young as the policy asks, by what it says of itself
//     intact      all of it was read, and nothing in it is damaged
//     proved      it is proved as far as the policy asks: a server of its own took it
//     tables      every table that the policy names holds what it must
//     filled      no table that held rows in the backup judged before holds none now
//     keys        a snapshot holds as many keys as it must
//     production  tables hold about as much as production does, neither fewer nor more
//     continuous  the log goes on without a gap from the newest base backup to its end
//     copied      copies are there, and are the same by content
//     recovered   a server of its own recovered to a moment of the window, chosen by chance
//
// What could not be found out is unknown and says why.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "backup/shelf.h"
#include "backup/verdicts.h"
#include "estate/estate.h"

namespace kedge::backup {

struct JudgeOptions {
    Moment now{};
    bool again = false;        // read also what has not changed
    bool recovery = false;     // of base backups: also recover to a moment chosen by chance
    std::uint64_t chance = 0;  // chooses the moment
    std::string key;           // of whoever asks: stands in the evidence of every answer
    std::string place;         // where servers of its own work; empty: the usual place
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

// The caller holds the policy's lock. `known`: what was judged before; the answers of what has not changed since are
// taken from there. Errors are those of this machine: no space, nothing to restore with, interrupted.
Result<Judgement> judge(const Estate& estate, const BackupPolicy& policy, const Verdicts& known,
                        const JudgeOptions& options);

// Whether `newest` was judged as it lies there, sound, and not longer ago than the policy reads again.
bool is_known(const Judgement* judgement, const StoredBackup& newest, const BackupPolicy& policy, Moment now);

// The answer to `fresh`: the one that changes by itself.
Answer freshness(const BackupPolicy& policy, const Shelf& shelf, Moment now);

}  // namespace kedge::backup
