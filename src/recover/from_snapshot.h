// Recovers a Redis data set beside production, from a snapshot: into a server of our own that nobody reaches until the
// keys that must not come back are out of it. Then it answers at the address where the nodes of production copy it.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "estate/estate.h"
#include "recover/choose.h"
#include "recover/recovery.h"

namespace kedge::recover {

struct SnapshotChoice {
    std::string path;  // empty: there is no sound snapshot, or nobody can tell which is meant; `says` why
    std::string says;
    std::optional<Moment> taken;      // what was written after it is not in it
    std::uint64_t keys = 0;           // that stand in the file
    std::uint64_t expired = 0;        // of those, by now
    verify::Examination examination;  // all of it was read
    std::vector<PassedOver> passed_over;
};
Json as_json(const SnapshotChoice& choice);

struct SnapshotWanted {
    std::optional<std::string> name;  // this one, whatever it holds; else the newest that is sound and not empty
    std::optional<Moment> before;     // taken before that moment: before the accident
};

// Reads snapshots of the policy whole, newest first, until one serves. Those that were passed over are named: damaged
// ones, and, unless it was asked for by name, one without a key: it may be of after the loss. So may the newest be if
// it holds less than half as many keys as the next one that would serve: unless one of `wanted` says which is meant,
// then none is taken.
Result<SnapshotChoice> choose_snapshot(const Estate& estate, const BackupPolicy& policy, const SnapshotWanted& wanted,
                                       const ChooseOptions& options);

// Makes what `recovery` names from a snapshot that was chosen, without the keys that `drop` and the estate's
// `drop-on-recovery` name and without those of erased people; then publishes it (see below). What an earlier attempt
// left is removed. Fills `recovery` and writes it down. `proof` holds
//
//     proved   yes if the server loaded as many keys as were counted in the file, those that had expired left out
//     keys_in_file, loaded, expired, dropped (by pattern), erasure, keys, took_seconds
//
// Errors: those of this machine; corrupt if the server did not take it; invalid_input if the estate does not say where
// the copy should answer.
Result<void> restore_snapshot_beside(const std::string& state_directory, Recovery& recovery,
                                     const SnapshotChoice& choice, const Estate& estate,
                                     const std::vector<std::string>& drop, const ChooseOptions& options);

// Has a server whose gate was passed write all it holds to DIRECTORY/recovered.rdb, reads that file, and starts a
// server on it that answers at the estate's `recovered-at`: `recovery.address`. Outlives this process.
Result<void> publish(Recovery& recovery, const Estate& estate, const std::stop_token& stop);

// Copies what the node in `region` holds to DIRECTORY/kept.rdb and reads that: `proof.kept` with path, keys, taken,
// replication_id, replication_offset and `key`. refused if something else was kept before.
Result<void> keep_present(Recovery& recovery, const Estate& estate, const std::string& region, const std::string& key,
                          const std::stop_token& stop);

}  // namespace kedge::recover
