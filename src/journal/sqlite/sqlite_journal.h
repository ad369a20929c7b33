// The journal on disk: one SQLite file, DIRECTORY/journal.db, in WAL mode with synchronous=FULL.
//
// An append is one transaction: compare the epoch, chain the entries, settle requests, mark the end. It is
// durable when the commit returns. A claim is a lock on the file claims/RUN, which the kernel frees when
// its holder dies, and an epoch in the database, which the append compares. docs/formats/journal.md has
// the tables.
//
// Everything is checked that a journal may silently lose by: a failed write or sync closes the object for
// appends; a database or write-ahead log that is replaced or removed under us is noticed at the next append;
// a database put back from an older copy is noticed by the claims, living and dead, that remember more.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "journal/chain.h"
#include "journal/journal.h"

namespace kedge {

enum class Access { write, read };

struct SqliteSettings {
    Span busy_limit = std::chrono::seconds{5};  // how long a write waits for another process's
    std::string vfs = {};                       // SQLite's way to the disk; tests put faults there
};

class SqliteConnection;
class SqliteClaim;
class SqliteReader;
class SqliteWriter;

class SqliteJournal final : public Journal {
public:
    // With Access::write creates what is missing, the directory included (mode 0700). With Access::read needs
    // no right but to read, changes nothing, and goes on while a controller writes; every changing call is then
    // not_allowed. not_found if there is no journal to read; refused for one that a newer kedge wrote; corrupt
    // for a damaged one or one older than its claims remember.
    static Result<std::unique_ptr<SqliteJournal>> open(const std::string& directory, Access access,
                                                       const SqliteSettings& settings = {});
    ~SqliteJournal() override;

    Result<std::unique_ptr<Claim>> begin(const RunId& id, const std::vector<std::string>& targets, const Draft& first,
                                         const std::string& controller) override;
    Result<std::unique_ptr<Claim>> claim(const RunId& id, const std::string& controller) override;
    Result<Position> append(const Claim& claim, std::span<const Draft> drafts, const std::vector<std::string>& settled,
                            Ends ends) override;
    Result<std::vector<Entry>> read(const RunId& run, Position after, std::size_t limit) const override;
    Result<std::vector<RunRecord>> runs() const override;
    Result<void> ask(const Request& request) override;
    Result<std::vector<Request>> inbox(const RunId& run) const override;
    // Also has SQLite check its own file, and compares runs, held targets and claims with the chain.
    Result<std::uint64_t> verify() const override;

private:
    explicit SqliteJournal(std::string directory);

    Result<void> may_write() const;
    // One transaction of the writer around `body`; whatever fails in the database closes the journal.
    template <class Body>
    auto transact(Body body) -> decltype(body());
    Result<void> commit();
    void close_for_appends(const Error& because);
    Result<std::optional<std::string>> living_controller(const RunId& run, const std::string& recorded) const;

    const std::string directory_;
    std::mutex write_mutex_;
    std::unique_ptr<SqliteWriter> writer_;  // none with Access::read; guarded by write_mutex_
    std::optional<std::string> closed_;     // why appends are refused; guarded by write_mutex_
    mutable std::mutex read_mutex_;
    std::unique_ptr<SqliteReader> reader_;  // guarded by read_mutex_
};

}  // namespace kedge
