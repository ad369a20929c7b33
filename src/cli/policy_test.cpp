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
    const Json newest = world.item("backup prune nightly --dry-run");
    EXPECT_EQ(newest["why"], "one of the newest 1");
    EXPECT_TRUE(newest["age_seconds"].is_number()) << newest;
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
    const auto second_oldest = [](const Outcome& outcome) { return outcome.json()["items"][1]; };
    const Json planned = second_oldest(world.run("backup prune nightly --dry-run --json"));
    EXPECT_EQ(planned["goes"], true);
    EXPECT_EQ(planned["removed"], false);
    const Outcome pruned = world.run("backup prune nightly --confirm nightly --json");
    EXPECT_EQ(pruned.code, 0) << pruned.errors;
    EXPECT_EQ(second_oldest(pruned)["removed"], true);
    EXPECT_EQ(pruned.json()["items"][0]["removed"], false) << "it stays";
    EXPECT_EQ(world.dumps(), 1u);
}

TEST(BackupPolicy, ThatCannotBeJudgedLeavesTheOthersTheirVerdicts) {
    const PolicyWorld world;
    ASSERT_EQ(world.run("backup create nightly").code, 0);
    world.write("state/backups/images.json", "of another time");
    fs::remove_all(world.backups.store + "/wal");
    const Outcome missing = world.run("backup verify wal nightly");
    EXPECT_EQ(missing.code, 15) << "what is missing is no";
    EXPECT_THAT(missing.out, HasSubstr("judged"));
    EXPECT_THAT(missing.out, HasSubstr("public.orders 1,000"));
    EXPECT_THAT(missing.errors, HasSubstr("wal was not verified: " + world.backups.store + "/wal: No such file"));
    EXPECT_EQ(world.run("backup verify images nightly").code, 16) << "what is not known is no good news";

    const Json items = world.run("backup verify wal images nightly --json").json()["items"];
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(items[0]["policy"], "wal");
    EXPECT_EQ(items[0]["holds"], "no");
    EXPECT_EQ(items[1]["holds"], "unknown");
    EXPECT_THAT(items[1]["answers"][0]["says"].get<std::string>(), HasSubstr("move it away"));
    EXPECT_EQ(items[2]["policy"], "nightly");
    EXPECT_EQ(items[2]["holds"], "yes");
    EXPECT_EQ(read_file(world.directory + "/state/backups/images.json").value(), "of another time");
}

TEST(BackupPolicy, AStoreThatIsGoneIsNotMadeAnew) {
    const PolicyWorld world;
    fs::rename(world.backups.store, world.backups.store + "-unmounted");
    const Outcome outcome = world.run("backup create nightly");
    EXPECT_EQ(outcome.code, 4);
    EXPECT_THAT(outcome.errors, HasSubstr(world.backups.store + ", the directory of the store vault, is not there"));
    EXPECT_THAT(outcome.errors, HasSubstr("mount it"));
    EXPECT_FALSE(fs::exists(world.backups.store));
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
    EXPECT_THAT(world.run("backup prune wal --confirm wal").out, HasSubstr("all that goes was removed"));
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
