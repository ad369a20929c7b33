#include "journal/sqlite/sqlite_journal.h"

#include <fmt/format.h>

#include "journal/sqlite/claim_file.h"
#include "journal/sqlite/reader.h"
#include "journal/sqlite/writer.h"
#include "os/files.h"

namespace kedge {

// The right to one run: the lock, and what this controller knows to be durable.
class SqliteClaim final : public Claim {
public:
    SqliteClaim(std::string directory, ClaimFile file, Remembered known)
        : directory_(std::move(directory)),
          run_(known.run),
          epoch_(known.epoch),
          file_(std::move(file)),
          known_(std::move(known)) {
        file_.remember(known_);
    }
    const RunId& run() const override { return run_; }
    Epoch epoch() const override { return epoch_; }

private:
    friend class SqliteJournal;

    const std::string directory_;
    const RunId run_;
    const Epoch epoch_;
    // Appends change what the claim knows, although the right itself stays what it was.
    mutable std::mutex mutex_;
    mutable ClaimFile file_;    // guarded by mutex_
    mutable Remembered known_;  // guarded by mutex_
    mutable bool spoiled_ = false;
};

SqliteJournal::SqliteJournal(std::string directory) : directory_(std::move(directory)) {}
SqliteJournal::~SqliteJournal() = default;

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const std::string& directory, Access access,
                                                           const SqliteSettings& settings) {
    const std::string path = directory + "/journal.db";
    std::unique_ptr<SqliteJournal> journal(new SqliteJournal(directory));
    if (access == Access::write) {
        TRY(make_directories(claims_directory(directory)));
        journal->writer_ = TRY(SqliteWriter::open(path, settings.busy_limit, settings.vfs));
    }
    journal->reader_ = TRY(SqliteReader::open(path, settings.vfs));
    if (access == Access::write) TRY(journal->reader_->is_not_older_than_claims(directory));
    return journal;
}

Result<void> SqliteJournal::may_write() const {
    if (!writer_)
        return Error{Fault::not_allowed, fmt::format("{}/journal.db was opened for reading only", directory_)};
    if (closed_) return journal_is_closed(*closed_);
    return {};
}

void SqliteJournal::close_for_appends(const Error& because) {
    if (!closed_) closed_ = because.message;
}

template <class Body>
auto SqliteJournal::transact(Body body) -> decltype(body()) {
    TRY(may_write());
    if (Result<void> ours = writer_->files_are_ours(); !ours) {
        close_for_appends(ours.error());
        return std::move(ours).error();
    }
    TRY(writer_->begin());
    auto result = body();
    if (!result) {
        if (writer_->has_failed()) close_for_appends(result.error());
        writer_->roll_back();
        return result;
    }
    if (Result<void> durable = writer_->commit(); !durable) {
        close_for_appends(durable.error());
        return std::move(durable).error();
    }
    // The entry is durable, whatever comes of this; but a disk that fails here takes no further one.
    if (const Result<void> moved = writer_->checkpoint_if_due(); !moved) close_for_appends(moved.error());
    return result;
}

Result<std::optional<std::string>> SqliteJournal::living_controller(const RunId& run,
                                                                    const std::string& recorded) const {
    if (!TRY(ClaimFile::is_held(directory_, run))) return std::optional<std::string>();
    return std::optional(recorded);
}

Result<std::unique_ptr<Claim>> SqliteJournal::begin(const RunId& id, const std::vector<std::string>& targets,
                                                    const Draft& first, const std::string& controller) {
    TRY(check_run_id(id));
    const std::vector<CheckedDraft> drafts = TRY(check_drafts({&first, 1}));
    const std::vector<std::string> held = TRY(check_targets(targets));
    const std::lock_guard lock(write_mutex_);
    std::optional<ClaimFile> file;
    const auto act = [&]() -> Result<Remembered> {
        if (TRY(writer_->find_run(id))) return run_exists(id);
        for (const std::string& target : held) {
            const std::optional<RunId> holder = TRY(writer_->holder_of(target));
            if (!holder) continue;
            const std::optional<RunRow> other = TRY(writer_->find_run(*holder));
            return target_is_held(target, *holder, TRY(living_controller(*holder, other ? other->controller : "")));
        }
        file = TRY(ClaimFile::acquire(directory_, id));
        if (!file) return run_exists(id);
        TRY(writer_->add_run(id, held, controller));
        return writer_->add_entries(id, 1, drafts);
    };
    Remembered known = TRY(transact(act));
    return std::unique_ptr<Claim>(std::make_unique<SqliteClaim>(directory_, std::move(*file), std::move(known)));
}

Result<std::unique_ptr<Claim>> SqliteJournal::claim(const RunId& id, const std::string& controller) {
    TRY(check_run_id(id));
    const std::lock_guard lock(write_mutex_);
    std::optional<ClaimFile> file;
    const auto act = [&]() -> Result<Remembered> {
        const std::optional<RunRow> run = TRY(writer_->find_run(id));
        if (!run) return no_such_run(id);
        if (run->ended) return run_has_ended(id, "there is nothing left to drive");
        file = TRY(ClaimFile::acquire(directory_, id));
        if (!file) return run_is_controlled(id, run->controller);
        if (run->head.empty()) return history_changed(id, run->last);
        TRY(writer_->raise_epoch(id, run->epoch + 1, controller));
        return Remembered{.run = id, .epoch = run->epoch + 1, .last = run->last, .digest = run->head};
    };
    Remembered known = TRY(transact(act));
    return std::unique_ptr<Claim>(std::make_unique<SqliteClaim>(directory_, std::move(*file), std::move(known)));
}

Result<Position> SqliteJournal::append(const Claim& claim, std::span<const Draft> drafts,
                                       const std::vector<std::string>& settled, Ends ends) {
    const auto* const ours = dynamic_cast<const SqliteClaim*>(&claim);
    check(ours != nullptr && ours->directory_ == directory_, "a claim is used with the journal that gave it");
    const std::vector<CheckedDraft> checked = TRY(check_drafts(drafts));
    const std::scoped_lock lock(write_mutex_, ours->mutex_);
    if (ours->spoiled_) return claim_is_spoiled(claim.run());
    Result<Remembered> added = transact([&]() -> Result<Remembered> {
        const std::optional<RunRow> run = TRY(writer_->find_run(claim.run()));
        if (!run || run->epoch < claim.epoch()) return history_changed(claim.run(), ours->known_.last);
        if (run->epoch > claim.epoch()) return claim_is_stale(claim.run(), claim.epoch(), run->epoch, run->controller);
        if (run->ended) return run_has_ended(claim.run(), "nothing can be appended to it");
        if (run->last != ours->known_.last || run->head != ours->known_.digest)
            return history_changed(claim.run(), ours->known_.last);
        Remembered tail = TRY(writer_->add_entries(claim.run(), claim.epoch(), checked));
        for (const std::string& id : settled)
            if (!TRY(writer_->settle(claim.run(), id, tail.last))) return request_not_waiting(claim.run(), id);
        if (ends == Ends::yes) TRY(writer_->end_run(claim.run()));
        return tail;
    });
    if (!added) {
        ours->spoiled_ = closed_.has_value();
        return std::move(added).error();
    }
    ours->known_ = std::move(*added);
    ours->file_.remember(ours->known_);
    if (ends == Ends::yes) ours->file_.retire();
    return ours->known_.last;
}

Result<std::vector<Entry>> SqliteJournal::read(const RunId& run, Position after, std::size_t limit) const {
    const std::lock_guard lock(read_mutex_);
    return reader_->entries(run, after, limit);
}

Result<std::vector<RunRecord>> SqliteJournal::runs() const {
    std::vector<RunRecord> records;
    {
        const std::lock_guard lock(read_mutex_);
        records = TRY(reader_->runs());
    }
    for (RunRecord& record : records) record.controller = TRY(living_controller(record.id, *record.controller));
    return records;
}

Result<void> SqliteJournal::ask(const Request& request) {
    TRY(check_request(request));
    const std::lock_guard lock(write_mutex_);
    return transact([&]() -> Result<void> {
        const std::optional<RunRow> run = TRY(writer_->find_run(request.run));
        if (!run) return no_such_run(request.run);
        if (const std::optional<Request> there = TRY(writer_->find_request(request.id)))
            return same_content(*there, request) ? Result<void>() : request_differs(request.id);
        if (run->ended) return run_has_ended(request.run, "nobody will judge a request");
        return writer_->add_request(request);
    });
}

Result<std::vector<Request>> SqliteJournal::inbox(const RunId& run) const {
    const std::lock_guard lock(read_mutex_);
    return reader_->inbox(run);
}

Result<std::uint64_t> SqliteJournal::verify() const {
    const std::lock_guard lock(read_mutex_);
    return reader_->verify(directory_);
}

}  // namespace kedge
