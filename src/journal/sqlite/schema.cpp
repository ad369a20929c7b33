#include "journal/sqlite/schema.h"

#include <fmt/format.h>

#include "os/wait.h"

namespace kedge {
namespace {

// Holds are a table of their own so that the store itself refuses a second holder.
constexpr const char* tables = R"(
CREATE TABLE runs (
    id         TEXT PRIMARY KEY,
    targets    TEXT NOT NULL,
    controller TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    ended      INTEGER NOT NULL DEFAULT 0,
    first      INTEGER NOT NULL DEFAULT 0,
    last       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (
    target TEXT PRIMARY KEY,
    run    TEXT NOT NULL REFERENCES runs (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    position INTEGER PRIMARY KEY,
    run      TEXT NOT NULL REFERENCES runs (id),
    epoch    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    body     TEXT NOT NULL,
    digest   TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_run ON entries (run, position);
CREATE TABLE requests (
    arrival   INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    run       TEXT NOT NULL REFERENCES runs (id),
    step      TEXT NOT NULL,
    login     TEXT NOT NULL,
    verb      TEXT NOT NULL,
    text      TEXT NOT NULL,
    digest    TEXT NOT NULL,
    played_as TEXT NOT NULL,
    time      INTEGER NOT NULL,
    settled   INTEGER
) STRICT;
CREATE INDEX requests_waiting ON requests (run, arrival) WHERE settled IS NULL;
)";

Result<bool> is_empty(SqliteConnection& db) {
    return TRY(db.integer("PRAGMA application_id")) == 0 && TRY(db.integer("PRAGMA user_version")) == 0 &&
           TRY(db.integer("SELECT count(*) FROM sqlite_schema")) == 0;
}

Result<void> make_tables(SqliteConnection& db) {
    TRY(db.run(tables));
    TRY(db.run(fmt::format("PRAGMA application_id = {}", journal_application_id).c_str()));
    TRY(db.run(fmt::format("PRAGMA user_version = {}", journal_schema_version).c_str()));
    return db.run("COMMIT");
}

// Makes the tables in a file that is empty, or finds that another process has been quicker.
Result<void> make_schema(SqliteConnection& db) {
    // Going over to WAL mode is itself done with a rollback journal. Were its removal not synced (FULL does
    // not), it could come back after a loss of power, and roll everything since back to an empty file.
    TRY(db.run("PRAGMA synchronous = EXTRA"));
    const std::string mode = TRY(db.text("PRAGMA journal_mode = WAL"));
    if (mode != "wal")
        return Error{Fault::unavailable,
                     fmt::format("{}: it cannot be put into WAL mode: it stays {}", db.path(), mode),
                     "the state directory must lie on a local file system"};
    TRY(db.run("BEGIN IMMEDIATE"));
    Result<bool> still_empty = is_empty(db);
    Result<void> made = !still_empty   ? Result<void>(still_empty.error())
                        : *still_empty ? make_tables(db)
                                       : db.run("ROLLBACK");
    if (!made && db.in_transaction()) static_cast<void>(db.run("ROLLBACK"));
    return made;
}

}  // namespace

Result<void> make_or_check_schema(SqliteConnection& db) {
    // Where two processes go over to WAL mode at once, SQLite tells one of them at once that the other is
    // busy, without the wait that it keeps everywhere else.
    const Until limit = within(db.busy_limit());
    while (TRY(is_empty(db))) {
        Result<void> made = make_schema(db);
        if (made) break;
        if (!db.was_busy() || SystemClock{}.now() >= limit.deadline) return made;
        wait_out(within(std::chrono::milliseconds{5}));
    }
    TRY(db.run("PRAGMA synchronous = FULL"));
    return check_schema(db);
}

Result<void> check_schema(SqliteConnection& db) {
    const std::int64_t application = TRY(db.integer("PRAGMA application_id"));
    const std::int64_t version = TRY(db.integer("PRAGMA user_version"));
    if (application != journal_application_id && TRY(is_empty(db)))
        return Error{Fault::not_found, fmt::format("{}: the journal is empty: nothing was ever run here", db.path())};
    if (application != journal_application_id)
        return Error{Fault::invalid_input,
                     fmt::format("{}: this is a SQLite database, but no kedge journal", db.path()),
                     "name another state directory with --state"};
    if (version > journal_schema_version)
        return Error{Fault::refused,
                     fmt::format("{}: a newer kedge wrote this journal (version {}, this kedge knows {})", db.path(),
                                 version, journal_schema_version),
                     "use the newer kedge for it"};
    if (version < 1)
        return Error{Fault::corrupt,
                     fmt::format("{}: the journal has version {}, which never was", db.path(), version)};
    return {};
}

}  // namespace kedge
