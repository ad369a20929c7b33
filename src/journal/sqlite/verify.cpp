#include "journal/sqlite/verify.h"

#include <fmt/format.h>

#include <array>

#include "journal/chain.h"

namespace kedge {
namespace {

// A read transaction: one snapshot for all that is asked.
class Snapshot {
public:
    static Result<std::unique_ptr<Snapshot>> take(SqliteConnection& db) {
        TRY(db.run("BEGIN"));
        return std::make_unique<Snapshot>(db);
    }
    explicit Snapshot(SqliteConnection& db) : db_(db) {}
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    ~Snapshot() { static_cast<void>(db_.run("ROLLBACK")); }

private:
    SqliteConnection& db_;
};

Result<void> check_pages(SqliteConnection& db) {
    const std::string said = TRY(db.text("PRAGMA integrity_check(1)"));
    if (said == "ok") return {};
    return Error{Fault::corrupt, fmt::format("{}: {}", db.path(), said),
                 "keep the damaged files aside and bring the state directory back from its backup"};
}

Result<std::uint64_t> check_chain(SqliteConnection& db) {
    SqliteStatement row =
        TRY(db.prepare("SELECT position, run, epoch, kind, time, body, digest FROM entries ORDER BY position"));
    ChainWalk walk;
    while (TRY(row.step())) {
        const ChainLink link{.position = static_cast<Position>(row.integer(0)),
                             .run = row.view(1),
                             .epoch = static_cast<Epoch>(row.integer(2)),
                             .kind = row.view(3),
                             .time = Moment{Span{row.integer(4)}},
                             .body = row.view(5)};
        TRY(walk.step(link, row.view(6)));
    }
    return walk.entries();
}

// A question whose every row is something that cannot be, told in its only column.
constexpr std::array contradictions = {
    // First, so that a missing tail is named as what it is.
    "SELECT 'journal entry ' || last || ' is missing: run ' || id || ' has it as its last' FROM runs "
    "WHERE last NOT IN (SELECT position FROM entries) ORDER BY last",
    "SELECT 'journal entry ' || entries.position || ': its run ' || run || ' is not recorded' FROM entries "
    "LEFT JOIN runs ON runs.id = run WHERE runs.id IS NULL",
    "SELECT 'run ' || id || ': its record says entries ' || first || ' to ' || last || ', the chain says otherwise' "
    "FROM runs WHERE first <> (SELECT min(position) FROM entries WHERE run = id) "
    "OR last <> (SELECT max(position) FROM entries WHERE run = id)",
    "SELECT 'run ' || id || ': an entry has a higher epoch than was ever claimed' FROM runs "
    "WHERE epoch < (SELECT max(epoch) FROM entries WHERE run = id)",
    "SELECT 'target ' || target || ' is held by run ' || run || ', which is not an unfinished run' FROM holds "
    "LEFT JOIN runs ON runs.id = run WHERE runs.id IS NULL OR runs.ended",
    "SELECT 'run ' || runs.id || ' does not hold its target ' || value FROM runs, json_each(runs.targets) "
    "LEFT JOIN holds ON holds.target = value AND holds.run = runs.id WHERE NOT runs.ended AND holds.run IS NULL",
    "SELECT 'request ' || requests.id || ' was settled by entry ' || settled || ', which is missing' FROM requests "
    "WHERE settled IS NOT NULL AND settled NOT IN (SELECT position FROM entries)",
};

}  // namespace

Result<std::uint64_t> verify_store(SqliteConnection& db) {
    const std::unique_ptr<Snapshot> snapshot = TRY(Snapshot::take(db));
    TRY(check_pages(db));
    const std::uint64_t entries = TRY(check_chain(db));
    for (const char* const question : contradictions) {
        SqliteStatement row = TRY(db.prepare(question));
        if (TRY(row.step())) return Error{Fault::corrupt, row.text(0)};
    }
    return entries;
}

}  // namespace kedge
