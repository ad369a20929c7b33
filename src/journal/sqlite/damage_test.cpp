// What can go wrong with the files and the disk below the journal, each with what it is told as.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "journal/sqlite/faulty_disk.h"
#include "journal/sqlite/sqlite_world.h"

namespace kedge {
namespace {

using testing::HasSubstr;

const std::vector<Draft> one_draft = {{"step.intent", {{"step", "promote"}}, {}}};

template <class T>
void expect_error(const Result<T>& result, Fault fault, const std::string& words) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, fault) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(words));
}

struct SqliteFiles : testing::Test {
    SqliteWorld world;
    std::string database() const { return world.directory() + "/journal.db"; }

    // A run whose claim is gone, and everything in the database itself.
    void write_and_close(int entries) const {
        const auto journal = world.open_as(Access::write);
        const auto claim = journal->begin("r-1", {"orders-db"}, one_draft[0], "me");
        for (int i = 1; i < entries; ++i) ASSERT_TRUE(journal->append(**claim, one_draft, {}, Ends::no));
    }
    void move_log_into_database() const { world.open_as(Access::write); }
    void overwrite(const std::string& path, std::int64_t offset, std::string_view bytes) const {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(offset);
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
};

TEST_F(SqliteFiles, NoJournalIsNotFound) {
    expect_error(world.try_open(Access::read), Fault::not_found, "no journal is here");
    EXPECT_FALSE(std::filesystem::exists(world.directory()));
}

TEST_F(SqliteFiles, AnEmptyFileIsNotFoundForReadingAndBecomesAJournalForWriting) {
    std::filesystem::create_directory(world.directory());
    std::ofstream(database()).close();
    expect_error(world.try_open(Access::read), Fault::not_found, "nothing was ever run here");
    EXPECT_EQ(*world.open_as(Access::write)->verify(), 0u);
    EXPECT_EQ(*world.open_as(Access::read)->verify(), 0u);
}

TEST_F(SqliteFiles, AFileThatIsNoDatabaseIsCorrupt) {
    std::filesystem::create_directory(world.directory());
    std::ofstream(database()) << std::string(8192, 'x');
    expect_error(world.try_open(Access::write), Fault::corrupt, "file is not a database");
    expect_error(world.try_open(Access::read), Fault::corrupt, "file is not a database");
}

TEST_F(SqliteFiles, AnotherProgramsDatabaseIsNotTouched) {
    std::filesystem::create_directory(world.directory());
    ASSERT_TRUE(
        (*SqliteConnection::open(database(), SqliteConnection::Mode::create, Span{0}, ""))->run("CREATE TABLE t (a)"));
    expect_error(world.try_open(Access::write), Fault::invalid_input, "no kedge journal");
}

TEST_F(SqliteFiles, AJournalOfANewerKedgeIsRefused) {
    write_and_close(1);
    world.sql("PRAGMA user_version = 2");
    expect_error(world.try_open(Access::write), Fault::refused, "a newer kedge wrote this journal (version 2, this");
    expect_error(world.try_open(Access::read), Fault::refused, "a newer kedge");
}

TEST_F(SqliteFiles, ADamagedPageIsNeverReadAsGood) {
    write_and_close(400);
    move_log_into_database();
    const auto pages = static_cast<std::int64_t>(std::filesystem::file_size(database()) / 4096);
    ASSERT_GT(pages, 20);
    for (std::int64_t page = 1; page < pages; page += 3) {
        std::string before(64, '\0');
        const std::int64_t at = page * 4096 + 2000;
        std::ifstream(database(), std::ios::binary).seekg(at).read(before.data(), 64);
        overwrite(database(), at, std::string(64, '\xff'));
        const auto journal = world.try_open(Access::read);
        const Result<std::uint64_t> verified = journal ? (*journal)->verify() : journal.error();
        if (before != std::string(64, '\0')) {
            EXPECT_FALSE(verified) << "page " << page;
        }
        if (!verified) {
            EXPECT_EQ(verified.error().fault, Fault::corrupt) << verified.error().message;
        }
        overwrite(database(), at, before);
    }
    EXPECT_EQ(*world.open_as(Access::read)->verify(), 400u);
}

TEST_F(SqliteFiles, BookkeepingThatContradictsTheChainIsFound) {
    write_and_close(2);
    const std::pair<const char*, const char*> damages[] = {
        {"DELETE FROM holds", "run r-1 does not hold its target orders-db"},
        {"UPDATE runs SET ended = 1", "target orders-db is held by run r-1, which is not an unfinished run"},
        {"UPDATE runs SET last = 1", "run r-1: its record says entries 1 to 1"},
        {"UPDATE runs SET epoch = 0", "a higher epoch than was ever claimed"},
        {"UPDATE entries SET epoch = 7 WHERE position = 2", "journal entry 2 was changed"},
        {"PRAGMA foreign_keys = OFF; DELETE FROM runs", "its run r-1 is not recorded"},
    };
    for (const auto& [damage, words] : damages) {
        const auto put_back = world.take_copy();
        world.sql(damage);
        expect_error(world.open_as(Access::read)->verify(), Fault::corrupt, words);
        put_back();
    }
    EXPECT_TRUE(world.open_as(Access::read)->verify());
}

TEST_F(SqliteFiles, ALogRemovedUnderALivingWriterStopsTheNextAppend) {
    const auto journal = world.open_as(Access::write);
    const auto claim = journal->begin("r-1", {}, one_draft[0], "me");
    std::filesystem::remove(database() + "-wal");
    expect_error(journal->append(**claim, one_draft, {}, Ends::no), Fault::corrupt,
                 "journal.db-wal: it was removed or replaced while the journal was open");
    expect_error(journal->append(**claim, one_draft, {}, Ends::no), Fault::conflict, "its place is in doubt");
    expect_error(journal->begin("r-2", {}, one_draft[0], "me"), Fault::unavailable, "takes no more entries since");
}

TEST_F(SqliteFiles, ALogRemovedAfterACrashIsNoticedByWhatTheClaimRemembers) {
    write_and_close(1);
    Forked controller([&](int pipe) {
        const auto journal = world.open();
        const auto claim = journal->claim("r-1", "pid 9 on nine");
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(journal->append(**claim, one_draft, {}, Ends::no));
        ASSERT_EQ(write(pipe, "+", 1), 1);
        for (;;) pause();
    });
    ASSERT_TRUE(controller.wait_for_byte());
    controller.kill_now();
    std::filesystem::remove(database() + "-wal");
    std::filesystem::remove(database() + "-shm");
    expect_error(world.try_open(), Fault::corrupt, "it is older than what was written here before: entry 4 of run r-1");
    expect_error(world.open_as(Access::read)->verify(), Fault::corrupt, "it is older than what was written");
    // A person may decide that what is lost is lost.
    std::filesystem::remove(world.directory() + "/claims/r-1");
    EXPECT_TRUE(world.open_as(Access::write)->claim("r-1", "me"));
}

TEST_F(SqliteFiles, AnOlderCopyPutBackWhileNobodyRanIsNoticed) {
    write_and_close(2);
    const auto put_back = world.take_copy();
    {
        const auto journal = world.open_as(Access::write);
        const auto claim = journal->claim("r-1", "me");
        ASSERT_TRUE(journal->append(**claim, one_draft, {}, Ends::no));
    }
    put_back();
    expect_error(world.try_open(), Fault::corrupt, "it is older than what was written here before: entry 3 of run r-1");
}

TEST_F(SqliteFiles, AnOlderCopyWrittenOverTheFileOfALivingClaimIsNoticed) {
    write_and_close(2);
    move_log_into_database();
    std::filesystem::copy_file(database(), world.scratch() + "/older.db");
    const auto journal = world.open_as(Access::write);
    const auto claim = journal->claim("r-1", "me");
    ASSERT_TRUE(journal->append(**claim, one_draft, {}, Ends::no));
    move_log_into_database();
    const std::filesystem::path older = world.scratch() + "/older.db";
    std::filesystem::copy_file(older, database(), std::filesystem::copy_options::overwrite_existing);
    const auto refused = journal->append(**claim, one_draft, {}, Ends::no);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::corrupt) << refused.error().message;
}

TEST_F(SqliteFiles, ATornNoteInAClaimFileRaisesNoFalseAlarm) {
    write_and_close(2);
    overwrite(world.directory() + "/claims/r-1", 20, "99999");
    EXPECT_TRUE(world.try_open());
    std::ofstream(world.directory() + "/claims/r-1").close();
    EXPECT_TRUE(world.try_open());
}

TEST_F(SqliteFiles, ARunThatHasEndedLeavesNoClaimFile) {
    const auto journal = world.open_as(Access::write);
    const auto claim = journal->begin("r-1", {}, one_draft[0], "me");
    EXPECT_TRUE(std::filesystem::exists(world.directory() + "/claims/r-1"));
    ASSERT_TRUE(journal->append(**claim, one_draft, {}, Ends::yes));
    EXPECT_FALSE(std::filesystem::exists(world.directory() + "/claims/r-1"));
}

// A disk that can fail, below a journal with one claimed run of one entry.
struct SqliteDisk : testing::Test {
    SqliteWorld world;
    FaultyDisk disk{"faulty"};
    std::unique_ptr<SqliteJournal> journal = world.open_as(Access::write, disk.name());
    std::unique_ptr<Claim> claim = std::move(journal->begin("r-1", {"orders-db"}, one_draft[0], "me")).value();

    Result<Position> append() const { return journal->append(*claim, one_draft, {}, Ends::no); }
    // What a new process finds once the disk is well again.
    std::uint64_t entries_after_restart() {
        disk.heal();
        claim.reset();
        journal = world.open_as(Access::write, disk.name());
        auto again = journal->claim("r-1", "me");
        EXPECT_TRUE(again);
        claim = std::move(*again);
        return *journal->verify();
    }
};

TEST_F(SqliteDisk, AFullDiskKeepsNothingAndClosesTheJournalUntilItIsOpenedAnew) {
    for (int nth = 1; nth <= 4; ++nth) {
        const std::uint64_t before = *journal->verify();
        disk.fail_write(nth, SQLITE_FULL, true);
        expect_error(append(), Fault::unavailable, "journal.db: the disk is full; nothing of this was kept");
        disk.heal();
        expect_error(append(), Fault::conflict, "its place is in doubt");
        expect_error(journal->begin("r-2", {}, one_draft[0], "me"), Fault::unavailable,
                     "the journal takes no more entries since");
        EXPECT_EQ(*journal->verify(), before);  // reading goes on
        EXPECT_EQ(entries_after_restart(), before);
        EXPECT_TRUE(append());
    }
}

TEST_F(SqliteDisk, AFailedWriteLeavesTheOutcomeUnknownAndWholeEntries) {
    for (int nth = 1; nth <= 4; ++nth) {
        const std::uint64_t before = *journal->verify();
        disk.fail_write(nth, SQLITE_IOERR_WRITE);
        expect_error(append(), Fault::outcome_unknown, "disk I/O error");
        const std::uint64_t after = entries_after_restart();
        EXPECT_TRUE(after == before || after == before + 1) << after;
        EXPECT_TRUE(append());
    }
}

TEST_F(SqliteDisk, AFailedSyncClosesTheJournalAlthoughTheNextWouldSucceed) {
    disk.fail_sync(1, SQLITE_IOERR_FSYNC);
    const auto failed = append();
    expect_error(failed, Fault::outcome_unknown, "cannot make it durable");
    EXPECT_THAT(failed.error().hint, HasSubstr("read the last entries"));
    expect_error(append(), Fault::conflict, "its place is in doubt");
    const std::uint64_t entries = entries_after_restart();
    EXPECT_TRUE(entries == 1 || entries == 2) << entries;
    EXPECT_TRUE(append());
    EXPECT_EQ(*journal->verify(), entries + 1);
}

TEST_F(SqliteDisk, AFailedCheckpointKeepsTheEntryAndTakesNoFurtherOne) {
    const std::vector<Draft> large(1, Draft{"step.evidence", Json(std::string(900'000, 'x')), {}});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(journal->append(*claim, large, {}, Ends::no));
    disk.fail_sync(2, SQLITE_IOERR_FSYNC, true);  // the first is that of the commit
    ASSERT_TRUE(journal->append(*claim, large, {}, Ends::no));
    expect_error(journal->begin("r-2", {}, one_draft[0], "me"), Fault::unavailable,
                 "cannot move the log into the database");
    EXPECT_EQ(entries_after_restart(), 6u);
}

TEST(SqlitePowerLoss, AtAnyMomentLeavesEveryConfirmedEntryAndAWholeChain) {
    SqliteWorld world;
    FaultyDisk disk("recording");
    std::vector<std::size_t> confirmed_at;  // operations done when the n-th append was confirmed
    {
        const auto journal = world.open_as(Access::write, disk.name());
        const auto claim = journal->begin("r-1", {"orders-db"}, one_draft[0], "me");
        confirmed_at.push_back(disk.operations());
        for (int i = 0; i < 12; ++i) {
            if (i == 6) world.open_as(Access::write, disk.name());  // moves the log into the database
            ASSERT_TRUE(journal->append(**claim, std::vector<Draft>(2, one_draft[0]), {}, Ends::no));
            confirmed_at.push_back(disk.operations());
        }
    }
    constexpr unsigned seed = 20261123;
    RecordProperty("seed", seed);
    std::mt19937 random(seed);
    FaultyDisk quick("quick");  // what is looked at afterwards need not be synced
    for (std::size_t moment = 0; moment <= disk.operations(); ++moment) {
        for (int variant = 0; variant < 2; ++variant) {
            const TestDirectory after;
            disk.leave_after(moment, random, after.path());
            const auto confirmed = static_cast<std::uint64_t>(
                std::ranges::count_if(confirmed_at, [&](std::size_t done) { return done <= moment; }));
            const std::uint64_t least = confirmed == 0 ? 0 : 2 * confirmed - 1;
            const auto journal = SqliteJournal::open(after.path(), Access::write, {.vfs = quick.name()});
            ASSERT_TRUE(journal) << "moment " << moment << ": " << journal.error().message;
            const auto entries = (*journal)->verify();
            ASSERT_TRUE(entries) << "moment " << moment << ": " << entries.error().message;
            EXPECT_GE(*entries, least) << "moment " << moment;
            EXPECT_LE(*entries, least + (confirmed == 0 ? 1 : 2)) << "moment " << moment;
            EXPECT_TRUE(*entries == 0 || *entries % 2 == 1) << "moment " << moment;
        }
    }
}

}  // namespace
}  // namespace kedge
