// What is promised of the backups of one kind in one place: how old the newest may be, what must be in it, how far it
// has to be proved, how long each is kept. A section of the estate (estate.h); plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "document/shape.h"

namespace kedge {

enum class BackupKind {
    dump,         // pg_dump archives, each with the cluster's globals beside it
    base_backup,  // as pg_basebackup leaves them
    log,          // the archive of the write-ahead log
    snapshot,     // RDB files of Redis
    copy,         // the same files as another policy's, elsewhere
};
std::string_view to_string(BackupKind kind);

enum class DumpLayout { custom, directory };

// How far the newest backup has to be proved: as the rungs of a verification.
enum class ProofAsked { decoded, checksummed, restored };
std::string_view to_string(ProofAsked proof);

// What a table must hold in every backup.
struct TablePolicy {
    std::string name;  // "public.users"
    std::int64_t rows_at_least = 1;
    // The most by which it may differ from production, more and fewer alike, as a fraction of production's rows.
    std::optional<double> near_production;
};

struct BackupPolicy {
    std::string name;
    BackupKind kind{};
    std::string says;
    std::string of;     // the database or cache; of a copy, the policy that it copies
    std::string in;     // the store
    std::string below;  // the directory in the store
    std::string log;    // of base backups: the policy of the log that goes with them
    Span max_age{};     // of the newest; of a copy, how far it may be behind
    ProofAsked prove = ProofAsked::restored;
    Span read_again{};  // what has not changed is read again after so long
    DumpLayout layout = DumpLayout::custom;
    std::vector<TablePolicy> tables;
    std::int64_t keys_at_least = 0;  // of a snapshot
    std::int64_t keep_at_least = 0;  // so many of the newest are never removed
    Span keep_for{};                 // nor what is younger
    int line = 0;                    // in the file
};

// "a backup policy": a variant by its kind.
Shape backup_policy_shape();

}  // namespace kedge
