#include "journal/sqlite/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "journal/chain.h"
#include "journal/sqlite/claim_file.h"
#include "journal/sqlite/schema.h"
#include "journal/sqlite/verify.h"

namespace kedge {
namespace {

constexpr Span read_busy_limit = std::chrono::seconds{5};

// The seventh column is the digest before the entry.
constexpr const char* select_entries =
    "SELECT position, run, epoch, kind, time, body, digest, "
    "(SELECT digest FROM entries AS before WHERE before.position = entries.position - 1) FROM entries WHERE ";

Result<Entry> entry_of(const SqliteStatement& row) {
    const ChainLink link{.position = static_cast<Position>(row.integer(0)),
                         .run = row.view(1),
                         .epoch = static_cast<Epoch>(row.integer(2)),
                         .kind = row.view(3),
                         .time = Moment{Span{row.integer(4)}},
                         .body = row.view(5)};
    if (link_digest(link, row.view(7)) != row.view(6)) return entry_changed(link.position);
    Result<Json> body = parse_json(link.body);
    if (!body) return entry_changed(link.position);
    return Entry{.position = link.position,
                 .run = std::string(link.run),
                 .epoch = link.epoch,
                 .kind = std::string(link.kind),
                 .body = std::move(*body),
                 .time = link.time,
                 .digest = row.text(6)};
}

}  // namespace

Request request_of(const SqliteStatement& row) {
    return {.id = row.text(0),
            .run = row.text(1),
            .step = row.text(2),
            .login = row.text(3),
            .verb = row.text(4),
            .text = row.text(5),
            .digest = row.text(6),
            .played_as = row.text(7),
            .time = Moment{Span{row.integer(8)}}};
}

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(const std::string& path, const std::string& vfs) {
    std::unique_ptr<SqliteReader> reader(new SqliteReader(path, vfs));
    TRY(reader->connect());
    return reader;
}

Result<void> SqliteReader::connect() {
    file_ = file_identity(path_);
    if (!file_)
        return Error{Fault::not_found, fmt::format("{}: no journal is here", path_),
                     "nothing was ever run with this state directory; name another with --state"};
    Result<void> ordinary = connect_as(SqliteConnection::Mode::read);
    const bool log_may_be_missing = !ordinary && ordinary.error().fault == Fault::not_allowed;
    if (!log_may_be_missing || file_identity(path_ + "-wal")) return ordinary;
    return connect_as(SqliteConnection::Mode::read_immutable);
}

Result<void> SqliteReader::connect_as(SqliteConnection::Mode mode) {
    for (std::optional<SqliteStatement>* statement : {&all_entries_, &run_entries_, &inbox_, &runs_, &digest_at_})
        statement->reset();
    db_ = TRY(SqliteConnection::open(path_, mode, read_busy_limit, vfs_));
    immutable_ = mode == SqliteConnection::Mode::read_immutable;
    TRY(check_schema(*db_));
    const std::string select = select_entries;
    all_entries_ = TRY(db_->prepare((select + "position > ?1 ORDER BY position LIMIT ?2").c_str()));
    run_entries_ = TRY(db_->prepare((select + "position > ?1 AND run = ?3 ORDER BY position LIMIT ?2").c_str()));
    inbox_ = TRY(db_->prepare(
        fmt::format("SELECT {} FROM requests WHERE run = ?1 AND settled IS NULL ORDER BY arrival", request_columns)
            .c_str()));
    runs_ = TRY(db_->prepare("SELECT id, targets, ended, controller, first, last FROM runs ORDER BY first"));
    digest_at_ = TRY(db_->prepare("SELECT digest FROM entries WHERE position = ?1"));
    return {};
}

Result<void> SqliteReader::stay_current() {
    const bool replaced = file_identity(path_) != file_;
    const bool came_alive = immutable_ && file_identity(path_ + "-wal");
    if (replaced || came_alive) return connect();
    return {};
}

Result<std::vector<Entry>> SqliteReader::entries(const RunId& run, Position after, std::size_t limit) {
    TRY(stay_current());
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::optional<SqliteStatement>& select = run.empty() ? all_entries_ : run_entries_;
    const SqliteRewind rewind(*select);
    select->bind(1, static_cast<std::int64_t>(std::min<std::uint64_t>(after, most)));
    select->bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(limit, most)));
    if (!run.empty()) select->bind(3, run);
    std::vector<Entry> found;
    while (TRY(select->step())) found.push_back(TRY(entry_of(*select)));
    return found;
}

Result<std::vector<Request>> SqliteReader::inbox(const RunId& run) {
    TRY(stay_current());
    const SqliteRewind rewind(*inbox_);
    inbox_->bind(1, run);
    std::vector<Request> waiting;
    while (TRY(inbox_->step())) waiting.push_back(request_of(*inbox_));
    return waiting;
}

Result<std::vector<RunRecord>> SqliteReader::runs() {
    TRY(stay_current());
    const SqliteRewind rewind(*runs_);
    std::vector<RunRecord> records;
    while (TRY(runs_->step())) {
        RunRecord record{.id = runs_->text(0), .targets = {}, .ended = runs_->integer(2) != 0, .controller = {}};
        record.controller = runs_->text(3);
        record.first = static_cast<Position>(runs_->integer(4));
        record.last = static_cast<Position>(runs_->integer(5));
        const Result<Json> targets = parse_json(runs_->view(1));
        if (!targets || !targets->is_array())
            return Error{Fault::corrupt, fmt::format("{}: run {}: its list of targets is damaged", path_, record.id)};
        for (const Json& target : *targets)
            if (target.is_string()) record.targets.push_back(target.get<std::string>());
        records.push_back(std::move(record));
    }
    return records;
}

Result<void> SqliteReader::is_not_older_than_claims(const std::string& directory) {
    // The notes are read first: the database can only be newer than they are.
    const std::vector<Remembered> claims = TRY(ClaimFile::remembered(directory));
    TRY(stay_current());
    for (const Remembered& claim : claims) {
        const SqliteRewind rewind(*digest_at_);
        const bool found = TRY(digest_at_->bind(1, static_cast<std::int64_t>(claim.last)).step());
        if (found && digest_at_->view(0) == claim.digest) continue;
        return Error{Fault::corrupt,
                     fmt::format("{}: it is older than what was written here before: entry {} of run {}, which a "
                                 "controller had confirmed, is not in it",
                                 path_, claim.last, claim.run),
                     fmt::format("an older copy was put back, or {0}-wal was removed. If that is meant, what is lost "
                                 "stays lost: move {1}/{2} away and look at every target of that run by hand",
                                 path_, claims_directory(directory), claim.run)};
    }
    return {};
}

Result<std::uint64_t> SqliteReader::verify(const std::string& directory) {
    TRY(stay_current());
    const std::uint64_t entries = TRY(verify_store(*db_));
    TRY(is_not_older_than_claims(directory));
    return entries;
}

}  // namespace kedge
