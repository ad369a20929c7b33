#include "estate/backup_policy.h"

namespace kedge {
namespace {

using Fields = std::vector<Field>;

Field kept() {
    const Shape keep = shape::record(
        "what is kept",
        {defaulted("at-least", shape::integer(1, 100'000), "3", "so many of the newest are never removed"),
         defaulted("for", shape::span(), "7d", "what is younger is never removed")});
    return optional("keep", keep, "what `backup prune` leaves; absent = it removes nothing here");
}

Field proved() {
    return defaulted("prove", shape::choice({"decoded", "checksummed", "restored"}), "restored",
                     "how far the newest has to be proved: `restored` = a server of its own takes it");
}

Field read_again() {
    return defaulted("read-again", shape::span(), "7d", "what was found sound and has not changed is read again then");
}

Field tables() {
    const Shape table = shape::record(
        "what a table must hold",
        {defaulted("rows-at-least", shape::integer(0, std::int64_t{1} << 53), "1", "fewer fail the backup"),
         optional("near-production", shape::number(),
                  "the most by which its rows may differ from production's, more and fewer alike: `0.05`")});
    return optional("tables", shape::map_of_texts(table), "tables that must be there, by name: `public.users`");
}

Case dumps() {
    return {{"dump"},
            "Dumps of PostgreSQL, in custom format or as directories, with the cluster's globals beside each.",
            {required("of", shape::name(), "the database that they are of"),
             defaulted("layout", shape::choice({"custom", "directory"}), "custom", "how `backup create` takes them"),
             tables(), proved(), read_again(), kept()}};
}

Case base_backups() {
    return {{"base-backup"},
            "Base backups of PostgreSQL, each a directory.",
            {required("of", shape::name(), "the database that they are of"),
             optional("log", shape::name(), "the policy of the log archive that goes with them"), tables(), proved(),
             read_again(), kept()}};
}

Case log() {
    return {{"log"},
            "The archive of the write-ahead log. Its age is that of the newest segment.",
            {required("of", shape::name(), "the database that it is of"), kept()}};
}

Case snapshots() {
    return {{"snapshot"},
            "Snapshots of Redis (RDB).",
            {required("of", shape::name(), "the cache that they are of"),
             defaulted("keys-at-least", shape::integer(0, std::int64_t{1} << 53), "0", "fewer keys fail the snapshot"),
             proved(), read_again(), kept()}};
}

Case copies() {
    return {{"copy"},
            "The files of another policy in a second place. Its age is how far it is behind.",
            {required("of", shape::name(), "the policy that it copies"), kept()}};
}

}  // namespace

std::string_view to_string(BackupKind kind) {
    switch (kind) {
        case BackupKind::dump: return "dump";
        case BackupKind::base_backup: return "base-backup";
        case BackupKind::log: return "log";
        case BackupKind::snapshot: return "snapshot";
        case BackupKind::copy: return "copy";
    }
    return {};
}

std::string_view to_string(ProofAsked proof) {
    switch (proof) {
        case ProofAsked::decoded: return "decoded";
        case ProofAsked::checksummed: return "checksummed";
        case ProofAsked::restored: return "restored";
    }
    return {};
}

Shape backup_policy_shape() {
    return shape::variant(
        "a backup policy", {"kind"},
        {required("kind", shape::choice({"dump", "base-backup", "log", "snapshot", "copy"}), "what lies there"),
         required("in", shape::name(), "the store that they lie in"),
         required("below", shape::text(), "the directory in the store: `postgresql/daily`"),
         required("max-age", shape::span(), "how old the newest may be, by what it says of itself"),
         optional("says", shape::text(), "in words")},
        {dumps(), base_backups(), log(), snapshots(), copies()});
}

}  // namespace kedge
