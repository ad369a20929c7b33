// For tests: a journal on disk in a scratch directory, and what may befall it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "journal/journal_world.h"
#include "journal/sqlite/connection.h"
#include "journal/sqlite/sqlite_journal.h"
#include "os/files.h"

namespace kedge {

class TestDirectory {
public:
    TestDirectory() {
        std::string name = "/tmp/journal-test-XXXXXX";
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        path_ = name;
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory() { EXPECT_TRUE(remove_tree(path_)); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// A process of its own, forked without a program: it must be started while this one has no journal open and
// no second thread. It ends with its function, or is killed by the destructor.
class Forked {
public:
    // `act` gets the writing end of a pipe; each byte it writes there is seen by `wait_for_byte`.
    explicit Forked(const std::function<void(int)>& act) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        pid_ = fork();
        if (pid_ == 0) {
            close(ends[0]);
            act(ends[1]);
            _exit(testing::Test::HasFailure() ? 1 : 0);
        }
        close(ends[1]);
        from_ = ends[0];
    }
    Forked(const Forked&) = delete;
    Forked& operator=(const Forked&) = delete;
    ~Forked() {
        kill_now();
        close(from_);
    }
    // False when it ended without writing.
    bool wait_for_byte() const {
        char byte = 0;
        return read(from_, &byte, 1) == 1;
    }
    void kill_now() {
        if (pid_ < 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    // Its exit code.
    int wait() {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }

private:
    pid_t pid_ = -1;
    int from_ = -1;
};

class SqliteWorld final : public JournalWorld {
public:
    std::unique_ptr<Journal> open() override { return open_as(Access::write); }
    std::unique_ptr<Journal> open_to_read() override { return open_as(Access::read); }
    std::unique_ptr<SqliteJournal> open_as(Access access, const std::string& vfs = "") const {
        auto journal = SqliteJournal::open(directory(), access, {.busy_limit = std::chrono::seconds{10}, .vfs = vfs});
        EXPECT_TRUE(journal) << journal.error().message;
        return std::move(*journal);
    }
    Result<std::unique_ptr<SqliteJournal>> try_open(Access access = Access::write) const {
        return SqliteJournal::open(directory(), access);
    }

    void begin_and_die(const RunId& run, const std::vector<std::string>& targets) override {
        Forked child([&](int pipe) {
            const auto journal = open();
            const auto claim = journal->begin(run, targets, {"run.started", {{"by", "test"}}, {}}, "pid 9 on nine");
            ASSERT_TRUE(claim) << claim.error().message;
            ASSERT_EQ(write(pipe, "+", 1), 1);
            for (;;) pause();
        });
        ASSERT_TRUE(child.wait_for_byte());
    }
    void lose_sign_of_life(const RunId& run) override {
        EXPECT_TRUE(std::filesystem::remove(directory() + "/claims/" + run));
    }
    std::function<void()> take_copy() override {
        const std::string aside = scratch_.path() + "/copy";
        std::filesystem::remove_all(aside);
        // What is in the log must be in the copy too: as a backup would, it is taken through SQLite.
        std::filesystem::create_directory(aside);
        sql("VACUUM INTO '" + aside + "/journal.db'");
        return [this, aside] {
            std::filesystem::remove(directory() + "/journal.db-wal");
            std::filesystem::remove(directory() + "/journal.db-shm");
            std::filesystem::rename(aside + "/journal.db", directory() + "/journal.db");
        };
    }
    void change_body(Position position, const Json& body) override {
        sql("UPDATE entries SET body = '" + dump(body) + "' WHERE position = " + std::to_string(position));
    }
    void remove(Position position) override { sql("DELETE FROM entries WHERE position = " + std::to_string(position)); }
    void swap(Position a, Position b) override {
        sql("UPDATE entries SET position = -1 WHERE position = " + std::to_string(a));
        sql("UPDATE entries SET position = " + std::to_string(a) + " WHERE position = " + std::to_string(b));
        sql("UPDATE entries SET position = " + std::to_string(b) + " WHERE position = -1");
    }
    void repeat(Position position) override {
        const std::string at = std::to_string(position);
        sql("UPDATE entries SET position = -position WHERE position > " + at);
        sql("UPDATE entries SET position = 1 - position WHERE position < 0");
        sql("INSERT INTO entries SELECT position + 1, run, epoch, kind, time, body, digest FROM entries WHERE "
            "position = " +
            at);
        sql("UPDATE runs SET last = (SELECT max(position) FROM entries WHERE run = id)");
    }

    // What a person with the sqlite3 program could do.
    void sql(const std::string& statement) const {
        const auto db = SqliteConnection::open(directory() + "/journal.db", SqliteConnection::Mode::read_write,
                                               std::chrono::seconds{10}, "");
        ASSERT_TRUE(db);
        const auto done = (*db)->run(statement.c_str());
        EXPECT_TRUE(done) << done.error().message;
    }
    std::string directory() const { return scratch_.path() + "/state"; }
    const std::string& scratch() const { return scratch_.path(); }

private:
    TestDirectory scratch_;
};

}  // namespace kedge
