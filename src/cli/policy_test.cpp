// backup list, create, verify, prune, on a real server's backups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "cli/cli_world.h"
#include "os/lock_file.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PolicyWorld : public CliWorld {
public:
    PolicyWorld() {
        backups.set_estate(
            "prove: checksummed\n    keep: {at-least: 1, for: 1s}\n"
            "    tables: {public.orders: {rows-at-least: 1000}}");
        write("plans/estate.yaml", backups.text);
    }
    Json item(const std::string& line) const { return run(line + " --json").json()["items"][0]; }
    std::size_t dumps() const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(backups.store + "/dumps"))
            count += entry.path().extension() == ".dump" ? 1 : 0;
        return count;
    }

    backup::World backups;
};

TEST(BackupPolicy, GoesFromMissingToVerifiedAndIsPruned) {
    const PolicyWorld world;
    EXPECT_EQ(world.run("backup list nightly").code, 15) << "what is missing is no";
    const Outcome created = world.run("backup create nightly");
    ASSERT_EQ(created.code, 0) << created.errors;
    EXPECT_THAT(created.out, HasSubstr("of the primary in east"));

    const Outcome listed = world.run("backup list nightly");
    EXPECT_EQ(listed.code, 16) << "never judged is unknown\n" << listed.out;
    EXPECT_THAT(listed.out, HasSubstr("never judged"));
    const Outcome verified = world.run("backup verify nightly --key r-1");
    EXPECT_EQ(verified.code, 0) << verified.out << verified.errors;
    EXPECT_THAT(verified.out, HasSubstr("public.orders 1,000"));
    EXPECT_EQ(world.run("backup list nightly").code, 0);
    const Json judged = world.item("backup list nightly")["backups"][0]["judgement"];
    EXPECT_EQ(judged["holds"], "yes");
    EXPECT_EQ(judged["rung"], "checksummed");
    EXPECT_EQ(judged["answers"][0]["evidence"]["key"], "r-1");

    // Names have seconds: the next one needs another.
    Outcome second = world.run("backup create nightly");
    while (second.code == 6) second = world.run("backup create nightly");
    ASSERT_EQ(second.code, 0) << second.errors;
    EXPECT_EQ(world.item("backup prune nightly --dry-run")["why"], "one of the newest 1");
    EXPECT_THAT(world.run("backup prune nightly --dry-run").out, HasSubstr("the newest that is proved"));
    EXPECT_EQ(world.run("backup verify nightly").code, 0);
    EXPECT_EQ(world.run("backup prune nightly").code, 7) << "not without a confirmation";
    EXPECT_EQ(world.run("backup prune nightly --confirm other").code, 7);
    EXPECT_EQ(world.dumps(), 2u);
    {
        const auto lock = LockFile::try_acquire(world.directory + "/state/backups/nightly.lock");
        ASSERT_TRUE(lock && *lock);
        EXPECT_EQ(world.run("backup prune nightly --confirm nightly").code, 6) << "not while somebody works on it";
    }
    EXPECT_EQ(world.run("backup prune nightly --confirm nightly").code, 0);
    EXPECT_EQ(world.dumps(), 1u);
}

TEST(BackupPolicy, DamageAndOverdueAreExit15) {
    const PolicyWorld world;
    ASSERT_EQ(world.run("backup create nightly").code, 0);
    const std::string path = world.item("backup list nightly")["backups"][0]["path"];
    fs::resize_file(path, fs::file_size(path) - 10);
    const Outcome verified = world.run("backup verify nightly");
    EXPECT_EQ(verified.code, 15);
    EXPECT_THAT(verified.out, HasSubstr("intact"));
    EXPECT_EQ(world.run("backup list nightly").code, 15);

    class Later final : public Clock {
    public:
        Moment now() const override { return SystemClock{}.now() + std::chrono::hours(26); }
    } later;
    PolicyWorld overdue;
    ASSERT_EQ(overdue.run("backup create nightly").code, 0);
    overdue.clock = &later;
    const Outcome listed = overdue.run("backup list nightly");
    EXPECT_EQ(listed.code, 15);
    EXPECT_THAT(listed.out, HasSubstr("overdue"));
}

TEST(BackupPolicy, LogIsPrunedAsFarAsNoBaseBackupNeedsIt) {
    class Later final : public Clock {
    public:
        Moment now() const override { return SystemClock{}.now() + std::chrono::hours(1); }
    } later;
    PolicyWorld world;
    world.clock = &later;
    for (int i = 0; i < 3; ++i) {
        world.backups.server->sql("INSERT INTO notes VALUES (1)");
        world.backups.archive();
    }
    world.backups.create("images");
    world.backups.archive();
    const auto segments = [&] {
        const auto files = fs::directory_iterator(world.backups.store + "/wal");
        return std::distance(begin(files), end(files));
    };
    const auto before = segments();
    const Outcome looked = world.run("backup prune wal --dry-run");
    EXPECT_EQ(looked.code, 0) << looked.errors;
    EXPECT_THAT(looked.out, HasSubstr("the first that is needed, begins in"));
    EXPECT_THAT(looked.out, HasSubstr("goes: "));
    EXPECT_EQ(world.run("backup prune wal").code, 7) << "not without a confirmation";
    {
        const auto lock = LockFile::try_acquire(world.directory + "/state/backups/images.lock");
        ASSERT_TRUE(lock && *lock);
        EXPECT_EQ(world.run("backup prune wal --confirm wal").code, 6) << "not while base backups are made or removed";
    }
    EXPECT_EQ(segments(), before);
    EXPECT_EQ(world.item("backup prune wal --dry-run")["goes"], true);
    EXPECT_EQ(world.run("backup prune wal --confirm wal").code, 0);
    EXPECT_LT(segments(), before);
    EXPECT_THAT(world.run("backup prune wal --dry-run").out, HasSubstr("nothing goes"));
}

TEST(BackupPolicy, IsNamedRight) {
    const PolicyWorld world;
    const Outcome unknown = world.run("backup verify weekly");
    EXPECT_EQ(unknown.code, 4);
    EXPECT_THAT(unknown.errors, HasSubstr("nightly"));
    EXPECT_EQ(world.run("backup create").code, 2);
}

}  // namespace
}  // namespace kedge
