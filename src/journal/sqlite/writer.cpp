#include "journal/sqlite/writer.h"

#include <fmt/format.h>

#include "journal/sqlite/reader.h"
#include "journal/sqlite/schema.h"

namespace kedge {
namespace {

// A checkpoint copies pages into the database and syncs it: about 4 MiB at a time keeps the cost of one
// append flat and the log short.
constexpr int checkpoint_pages = 1000;

// SQLite tells the length of the log after each commit; it is kept here until the next look.
int note_log_pages(void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
}

}  // namespace

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::open(const std::string& path, Span busy_limit,
                                                         const std::string& vfs) {
    std::unique_ptr<SqliteConnection> db =
        TRY(SqliteConnection::open(path, SqliteConnection::Mode::create, busy_limit, vfs));
    if (db->is_read_only())
        return Error{Fault::not_allowed, fmt::format("{}: the journal may only be read", path),
                     "run as the owner of the state directory, or name another with --state"};
    TRY(make_or_check_schema(*db));
    std::unique_ptr<SqliteWriter> writer(new SqliteWriter(std::move(db)));
    TRY(writer->prepare());
    return writer;
}

Result<void> SqliteWriter::prepare() {
    // The log and its index stay when the last process goes: who may only read could not make them again.
    int keep = 1;
    sqlite3_file_control(db_->handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    // Checkpoints are ours to call, because SQLite drops their errors when it calls them itself.
    sqlite3_wal_autocheckpoint(db_->handle(), 0);
    sqlite3_wal_hook(db_->handle(), note_log_pages, &log_pages_);

    // After a failed sync the kernel may show bytes that are not on the disk. What an earlier process left in
    // the log is therefore written and synced anew, into the database, before anything follows it.
    TRY(checkpoint(SQLITE_CHECKPOINT_TRUNCATE));

    find_run_ =
        TRY(db_->prepare("SELECT epoch, controller, ended, last, (SELECT digest FROM entries WHERE "
                         "position = last) FROM runs WHERE id = ?1"));
    holder_ = TRY(db_->prepare("SELECT run FROM holds WHERE target = ?1"));
    head_ = TRY(db_->prepare("SELECT position, digest FROM entries ORDER BY position DESC LIMIT 1"));
    add_entry_ = TRY(db_->prepare("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    note_last_ =
        TRY(db_->prepare("UPDATE runs SET last = ?2, first = CASE first WHEN 0 THEN ?3 ELSE first END WHERE id = ?1"));
    settle_ = TRY(db_->prepare("UPDATE requests SET settled = ?3 WHERE id = ?2 AND run = ?1 AND settled IS NULL"));
    database_file_ = file_identity(db_->path());
    log_file_ = file_identity(db_->path() + "-wal");
    return {};
}

Result<void> SqliteWriter::files_are_ours() const {
    for (const auto& [path, identity] : {std::pair{db_->path(), database_file_}, {db_->path() + "-wal", log_file_}})
        if (!identity || file_identity(path) != identity)
            return Error{Fault::corrupt, fmt::format("{}: it was removed or replaced while the journal was open", path),
                         "what was appended since may be lost: compare with a backup, then start again"};
    return {};
}

Result<void> SqliteWriter::commit() {
    const int code = sqlite3_exec(db_->handle(), "COMMIT", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    Error error = db_->error(code, "cannot make it durable");
    // The frame that commits is the last that is written, so a full disk leaves nothing that could count.
    if ((code & 0xff) != SQLITE_FULL) {
        error.fault = Fault::outcome_unknown;
        error.hint = "what was written may be kept or not: start again and read the last entries";
    }
    roll_back();
    return error;
}

void SqliteWriter::roll_back() {
    if (db_->in_transaction()) static_cast<void>(db_->run("ROLLBACK"));
}

Result<void> SqliteWriter::checkpoint(int how) {
    // A reader or a writer elsewhere is no reason to wait: the next append tries again.
    sqlite3_busy_timeout(db_->handle(), 0);
    const int code = sqlite3_wal_checkpoint_v2(db_->handle(), "main", how, nullptr, nullptr);
    db_->restore_busy_limit();
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) return {};
    return db_->error(code, "cannot move the log into the database");
}

Result<void> SqliteWriter::checkpoint_if_due() {
    if (log_pages_ < checkpoint_pages) return {};
    return checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

Result<std::optional<RunRow>> SqliteWriter::find_run(const RunId& id) {
    const SqliteRewind rewind(*find_run_);
    if (!TRY(find_run_->bind(1, id).step())) return std::optional<RunRow>();
    return std::optional(RunRow{.epoch = static_cast<Epoch>(find_run_->integer(0)),
                                .controller = find_run_->text(1),
                                .ended = find_run_->integer(2) != 0,
                                .last = static_cast<Position>(find_run_->integer(3)),
                                .head = find_run_->text(4)});
}

Result<std::optional<RunId>> SqliteWriter::holder_of(const std::string& target) {
    const SqliteRewind rewind(*holder_);
    if (!TRY(holder_->bind(1, target).step())) return std::optional<RunId>();
    return std::optional(holder_->text(0));
}

Result<void> SqliteWriter::add_run(const RunId& id, const std::vector<std::string>& targets,
                                   const std::string& controller) {
    SqliteStatement run = TRY(db_->prepare("INSERT INTO runs (id, targets, controller, epoch) VALUES (?1, ?2, ?3, 1)"));
    TRY(run.bind(1, id).bind(2, dump(Json(targets))).bind(3, controller).run());
    SqliteStatement hold = TRY(db_->prepare("INSERT INTO holds VALUES (?1, ?2)"));
    for (const std::string& target : targets) TRY(hold.bind(1, target).bind(2, id).run());
    return {};
}

Result<void> SqliteWriter::raise_epoch(const RunId& id, Epoch epoch, const std::string& controller) {
    SqliteStatement raise = TRY(db_->prepare("UPDATE runs SET epoch = ?2, controller = ?3 WHERE id = ?1"));
    return raise.bind(1, id).bind(2, static_cast<std::int64_t>(epoch)).bind(3, controller).run();
}

Result<Remembered> SqliteWriter::add_entries(const RunId& id, Epoch epoch, const std::vector<CheckedDraft>& drafts) {
    Remembered tail{.run = id, .epoch = epoch};
    {
        const SqliteRewind rewind(*head_);
        if (TRY(head_->step())) {
            tail.last = static_cast<Position>(head_->integer(0));
            tail.digest = head_->text(1);
        }
    }
    const Position first = tail.last + 1;
    for (const CheckedDraft& draft : drafts) {
        ++tail.last;
        tail.digest = link_digest({tail.last, id, epoch, draft.kind, draft.time, draft.body}, tail.digest);
        add_entry_->bind(1, static_cast<std::int64_t>(tail.last)).bind(2, id);
        add_entry_->bind(3, static_cast<std::int64_t>(epoch)).bind(4, draft.kind);
        add_entry_->bind(5, draft.time.time_since_epoch().count()).bind(6, draft.body).bind(7, tail.digest);
        TRY(add_entry_->run());
    }
    note_last_->bind(1, id).bind(2, static_cast<std::int64_t>(tail.last)).bind(3, static_cast<std::int64_t>(first));
    TRY(note_last_->run());
    return tail;
}

Result<void> SqliteWriter::end_run(const RunId& id) {
    SqliteStatement end = TRY(db_->prepare("UPDATE runs SET ended = 1 WHERE id = ?1"));
    TRY(end.bind(1, id).run());
    SqliteStatement free = TRY(db_->prepare("DELETE FROM holds WHERE run = ?1"));
    return free.bind(1, id).run();
}

Result<std::optional<Request>> SqliteWriter::find_request(const std::string& id) {
    SqliteStatement find =
        TRY(db_->prepare(fmt::format("SELECT {} FROM requests WHERE id = ?1", request_columns).c_str()));
    if (!TRY(find.bind(1, id).step())) return std::optional<Request>();
    return std::optional(request_of(find));
}

Result<void> SqliteWriter::add_request(const Request& request) {
    SqliteStatement add = TRY(db_->prepare(
        fmt::format("INSERT INTO requests ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", request_columns).c_str()));
    add.bind(1, request.id).bind(2, request.run).bind(3, request.step).bind(4, request.login).bind(5, request.verb);
    add.bind(6, request.text).bind(7, request.digest).bind(8, request.played_as);
    return add.bind(9, request.time.time_since_epoch().count()).run();
}

Result<bool> SqliteWriter::settle(const RunId& run, const std::string& id, Position at) {
    TRY(settle_->bind(1, run).bind(2, id).bind(3, static_cast<std::int64_t>(at)).run());
    return sqlite3_changes(db_->handle()) == 1;
}

}  // namespace kedge
