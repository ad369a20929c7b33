// The contract on SQLite, and what only several processes can show.
#include "journal/sqlite/sqlite_journal.h"

#include <sys/stat.h>

#include <thread>

#include "journal/contract.h"
#include "journal/sqlite/sqlite_world.h"

namespace kedge {
namespace {

std::unique_ptr<JournalWorld> make_sqlite_world() {
    return std::make_unique<SqliteWorld>();
}
INSTANTIATE_TEST_SUITE_P(Sqlite, JournalContract, testing::Values(&make_sqlite_world));

const std::vector<Draft> one = {{"step.intent", {{"step", "promote"}}, {}}};

struct SqliteProcesses : testing::Test {
    SqliteWorld world;
};

TEST_F(SqliteProcesses, SeveralAppendAtOnceAndKeepOneChain) {
    constexpr int processes = 4, appends = 30;
    {
        std::vector<std::unique_ptr<Forked>> children;
        for (int i = 0; i < processes; ++i)
            children.push_back(std::make_unique<Forked>([&, i](int) {
                const auto journal = world.open();
                const auto claim =
                    journal->begin("r-" + std::to_string(i), {"t-" + std::to_string(i)}, one[0], "child");
                ASSERT_TRUE(claim) << claim.error().message;
                for (int n = 0; n < appends; ++n) {
                    const auto appended = journal->append(**claim, one, {}, Ends::no);
                    ASSERT_TRUE(appended) << appended.error().message;
                }
            }));
        for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
    }
    EXPECT_EQ(*world.open()->verify(), static_cast<std::uint64_t>(processes * (appends + 1)));
}

TEST_F(SqliteProcesses, SeveralMayBeTheFirst) {
    for (int round = 0; round < 8; ++round) {
        const SqliteWorld fresh;
        std::vector<std::unique_ptr<Forked>> children;
        for (int i = 0; i < 4; ++i)
            children.push_back(std::make_unique<Forked>([&](int) {
                const auto journal = fresh.try_open();
                ASSERT_TRUE(journal) << journal.error().message;
            }));
        for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
    }
}

TEST_F(SqliteProcesses, AKilledWriterLeavesEveryConfirmedEntryAndNoTornOne) {
    for (int kills = 0, confirmed = 0; kills < 5; ++kills) {
        Forked writer([&](int pipe) {
            const auto journal = world.open();
            auto claim =
                kills == 0 ? journal->begin("r-1", {"orders-db"}, one[0], "writer") : journal->claim("r-1", "writer");
            ASSERT_TRUE(claim) << claim.error().message;
            for (;;) {
                ASSERT_TRUE(journal->append(**claim, std::vector<Draft>(3, one[0]), {}, Ends::no));
                ASSERT_EQ(write(pipe, "+", 1), 1);
            }
        });
        for (int i = 0; i < 20; ++i, confirmed += 3) ASSERT_TRUE(writer.wait_for_byte());
        writer.kill_now();
        const auto entries = world.open_as(Access::read)->verify();
        ASSERT_TRUE(entries) << entries.error().message;
        EXPECT_GE(*entries, static_cast<std::uint64_t>(1 + confirmed));
        EXPECT_EQ(*entries % 3, 1u);  // the three of one append, or none of them
        confirmed = static_cast<int>(*entries) - 1;
    }
}

TEST_F(SqliteProcesses, AReaderLooksWhileAWriterWorksAndDoesNotDisturbItsClaim) {
    Forked writer([&](int pipe) {
        const auto journal = world.open();
        const auto claim = journal->begin("r-1", {}, one[0], "pid 9 on nine");
        ASSERT_EQ(write(pipe, "+", 1), 1);
        for (;;) ASSERT_TRUE(journal->append(**claim, one, {}, Ends::no));
    });
    ASSERT_TRUE(writer.wait_for_byte());
    const auto reader = world.open_as(Access::read);
    Position last = 0;
    for (int i = 0; i < 20; ++i) {
        const auto runs = reader->runs();
        ASSERT_TRUE(runs) << runs.error().message;
        EXPECT_EQ(runs->at(0).controller, "pid 9 on nine");
        EXPECT_GE(runs->at(0).last, last);
        last = runs->at(0).last;
        ASSERT_TRUE(reader->verify());
    }
    writer.kill_now();
    EXPECT_FALSE(reader->runs()->at(0).controller);
}

TEST_F(SqliteProcesses, WaitsForAnotherWriterOnlyForItsLimitAndStaysOpen) {
    const auto other =
        SqliteConnection::open(world.directory() + "/journal.db", SqliteConnection::Mode::read_write, Span{0}, "");
    EXPECT_FALSE(other);  // there is none yet
    const auto first = world.open();
    auto journal = SqliteJournal::open(world.directory(), Access::write, {.busy_limit = std::chrono::milliseconds{50}});
    ASSERT_TRUE(journal);
    const auto holder =
        SqliteConnection::open(world.directory() + "/journal.db", SqliteConnection::Mode::read_write, Span{0}, "");
    ASSERT_TRUE((*holder)->run("BEGIN IMMEDIATE"));
    const auto refused = (*journal)->begin("r-1", {}, one[0], "me");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::unavailable);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("another process has held the write lock for 50ms"));
    ASSERT_TRUE((*holder)->run("ROLLBACK"));
    EXPECT_TRUE((*journal)->begin("r-1", {}, one[0], "me"));
}

// Runs `act` as a user who is not root and owns nothing here; as that user's own process already if not root.
void as_another_user(const std::string& scratch, const std::function<void()>& act) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
    EXPECT_EQ(chmod(scratch.c_str(), 0755), 0);
    Forked child([&](int) {
        ASSERT_EQ(setgid(65534), 0);
        ASSERT_EQ(setuid(65534), 0);
        act();
    });
    EXPECT_EQ(child.wait(), 0);
}

TEST_F(SqliteProcesses, ReadsADirectoryThatItMayOnlyRead) {
    world.begin_and_die("r-1", {"orders-db"});
    chmod(world.directory().c_str(), 0755);
    chmod((world.directory() + "/claims").c_str(), 0755);
    as_another_user(world.scratch(), [&] {
        const auto journal = world.open_as(Access::read);
        EXPECT_EQ(journal->read("r-1", 0, SIZE_MAX)->size(), 1u);
        EXPECT_FALSE(journal->runs()->at(0).controller);
        EXPECT_EQ(*journal->verify(), 1u);
        const auto writing = world.try_open(Access::write);
        ASSERT_FALSE(writing);
        EXPECT_EQ(writing.error().fault, Fault::not_allowed) << writing.error().message;
    });
}

TEST_F(SqliteProcesses, ReadsWhileAWriterOfAnotherUserLives) {
    Forked writer([&](int pipe) {
        umask(022);
        const auto journal = world.open();
        chmod(world.directory().c_str(), 0755);
        chmod((world.directory() + "/claims").c_str(), 0755);
        const auto claim = journal->begin("r-1", {}, one[0], "pid 9 on nine");
        ASSERT_EQ(write(pipe, "+", 1), 1);
        for (;;) ASSERT_TRUE(journal->append(**claim, one, {}, Ends::no));
    });
    ASSERT_TRUE(writer.wait_for_byte());
    as_another_user(world.scratch(), [&] {
        const auto journal = world.open_as(Access::read);
        for (int i = 0; i < 10; ++i) {
            const auto entries = journal->verify();
            ASSERT_TRUE(entries) << entries.error().message;
            EXPECT_EQ(journal->runs()->at(0).controller, "pid 9 on nine");
        }
    });
}

TEST_F(SqliteProcesses, ReadsAClosedJournalWithoutItsLogInADirectoryThatItMayOnlyRead) {
    world.begin_and_die("r-1", {});
    world.open().reset();
    std::filesystem::remove(world.directory() + "/journal.db-wal");
    std::filesystem::remove(world.directory() + "/journal.db-shm");
    chmod(world.directory().c_str(), 0555);
    chmod((world.directory() + "/claims").c_str(), 0555);
    as_another_user(world.scratch(), [&] { EXPECT_EQ(*world.open_as(Access::read)->verify(), 1u); });
}

TEST_F(SqliteProcesses, SaysThatAFileMayOnlyBeRead) {
    world.begin_and_die("r-1", {});
    for (const char* const file : {"/journal.db", "/journal.db-wal", "/journal.db-shm"})
        chmod((world.directory() + file).c_str(), 0444);
    chmod(world.directory().c_str(), 0777);
    chmod((world.directory() + "/claims").c_str(), 0777);
    as_another_user(world.scratch(), [&] {
        const auto journal = world.try_open(Access::write);
        ASSERT_FALSE(journal);
        EXPECT_EQ(journal.error().fault, Fault::not_allowed);
        EXPECT_THAT(journal.error().message, testing::HasSubstr("journal.db: the journal may only be read"));
    });
}

TEST_F(SqliteProcesses, RefusesEveryChangeThroughAJournalOpenedForReading) {
    world.begin_and_die("r-1", {});
    const auto journal = world.open_as(Access::read);
    EXPECT_EQ(journal->begin("r-2", {}, one[0], "me").error().fault, Fault::not_allowed);
    EXPECT_EQ(journal->claim("r-1", "me").error().fault, Fault::not_allowed);
    EXPECT_EQ(journal->ask({.id = "q-1", .run = "r-1"}).error().fault, Fault::not_allowed);
}

}  // namespace
}  // namespace kedge
