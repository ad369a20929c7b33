// Databases that are recovered beside production, as plans see them. Contracts as in database.h.
//
// To recover takes long: it is asked for, and goes on in a process of its own. `look` tells how it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct RecoveryLook {
    bool exists = false;
    std::string key;                  // of the step that asked last that it be chosen or made
    Truth possible = Truth::unknown;  // whether what was asked for can be had; `choice` says from what
    Truth stands = Truth::unknown;    // it was made; unknown while it is being made
    Truth usable = Truth::unknown;    // and erased people were taken out of it
    Truth proved = Truth::unknown;    // and it ended where it was asked to
    Truth answers = Truth::unknown;   // and its server answers now
    Truth prepared = Truth::unknown;  // it is ready to take production's place, or has it
    Truth promoted = Truth::unknown;  // it has it
    bool exchanges = false;           // as a database of the running server: loaded into it, then by its name
    bool served = false;              // it had that name, lost it again, and keeps what was written to it meanwhile
    Truth working = Truth::unknown;   // somebody works on it
    std::string says;
    std::string address;  // HOST:PORT of a recovered cache, where the nodes of production can copy it; empty: not yet
    Json choice = Json::object(), proof = Json::object();
    // What it and production differ in, as a step asked last: `key` of that step, `with`, `equal`, and `tables` that
    // differ, each with the rows that `only_production` has, `only_copy` has, and that are `changed`.
    Json comparison = Json::object();
};

// A restore of a snapshot of a cache.
struct SnapshotOrder {
    std::string name;      // of the recovery
    std::string cache;     // the target
    std::string snapshot;  // its name; empty: the newest that is sound
    std::string before;    // taken before that moment; empty: whenever
    std::string policy;    // of the snapshots; empty: the only one
    std::string drop;      // a pattern of keys that must not come back, beside those of the estate; empty: none
};

// A restore of a dump, or of what serves better.
struct RestoreOrder {
    std::string name;      // of the recovery
    std::string database;  // the target
    std::string to;        // a moment, or `latest`: whichever of a dump and a base backup loses less; empty: a dump
    std::string dump;      // its name; empty: the newest that is sound
    std::string policy;    // of the dumps; empty: the only one
};

struct RecoveryOrder {
    std::string name;      // of the recovery: letters, digits and `-`
    std::string database;  // the target
    std::string to;        // a point, as `kedge recover pitr --to` takes it
    bool inclusive = true;
    std::int64_t timeline = 0;  // 0: the newest that has the point
    std::string policy;         // of the base backups; empty: the only one
};

class Recoveries {
public:
    virtual ~Recoveries() = default;

    virtual Result<RecoveryLook> look(const std::string& name, Moment deadline) = 0;
    // These start the work and return when it has begun; conflict if somebody works on that recovery. What was carried
    // out already is not done again, and a refusal changes nothing: it is returned, or told as the work's failure.
    // Reads what there is and says from what it would be made.
    virtual Result<void> choose(const RecoveryOrder& order, const std::string& key, Moment deadline) = 0;
    virtual Result<void> make(const RecoveryOrder& order, const std::string& key, Moment deadline) = 0;
    virtual Result<void> restore(const RestoreOrder& order, const std::string& key, Moment deadline) = 0;
    // Compares it with the copy of production in `region`.
    virtual Result<void> compare(const std::string& name, const std::string& region, const std::string& key,
                                 Moment deadline) = 0;
    // Stops it and readies it to take the place of the server in `region`; production is only read.
    virtual Result<void> prepare(const std::string& name, const std::string& region, const std::string& key,
                                 Moment deadline) = 0;
    // What was prepared is swapped in for the server in `region`, which is stopped, and whose fence is up; what was
    // there is kept. It is not started.
    virtual Result<void> promote(const std::string& name, const std::string& region, const std::string& key,
                                 Moment deadline) = 0;
    // Loads it into the running server in `region`, as a database beside the one that is there.
    virtual Result<void> load(const std::string& name, const std::string& region, const std::string& key,
                              Moment deadline) = 0;
    // What was loaded and the database that is there change names; what was there is kept. The server goes on.
    virtual Result<void> exchange(const std::string& name, const std::string& region, const std::string& key,
                                  Moment deadline) = 0;
    // What `prepare` and `promote`, or `load` and `exchange` did is taken back: it stands beside production again, with
    // what was written to it meanwhile. One that was exchanged stays loaded, as `served`.
    virtual Result<void> put_back(const std::string& name, const std::string& region, const std::string& key,
                                  Moment deadline) = 0;
    virtual Result<void> restore_snapshot(const SnapshotOrder& order, const std::string& key, Moment deadline) = 0;
    // Copies what the node in `region` holds now to the recovered cache's directory, whole, before it is replaced;
    // `proof.kept` of the recovery tells of it, with `key`.
    virtual Result<void> keep(const std::string& name, const std::string& region, const std::string& key,
                              Moment deadline) = 0;
    // Stops it and removes all of it; of one that was swapped in, what it replaced.
    virtual Result<void> discard(const std::string& name, const std::string& key, Moment deadline) = 0;
    // How the work that was asked for with `key` failed: its last words. Nothing while it goes on, when it left what
    // `look` tells of it, or when this process did not start it.
    virtual Result<std::optional<std::string>> failure(const std::string& key) = 0;
};

}  // namespace kedge
