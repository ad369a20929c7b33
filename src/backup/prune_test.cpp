// What policies no longer keep: of shelves of the test's own, where only times and proofs count, and of what a real
// server left.
#include "backup/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "backup/material.h"
#include "backup/scratch_estate.h"
#include "verify/wal/window.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

Judgement proved(const std::string& name, const std::string& fingerprint, Truth holds = Truth::yes) {
    return {.name = name,
            .fingerprint = fingerprint,
            .answers = {{.question = "intact", .holds = Truth::yes}, {.question = "proved", .holds = holds}}};
}

struct Days {
    explicit Days(std::initializer_list<int> ages) {
        for (const int days : ages)
            shelf.backups.push_back({.name = std::to_string(days),
                                     .taken = now - 24h * days,
                                     .modified = now - 24h * days + 1h,
                                     .fingerprint = "f" + std::to_string(days)});
    }
    std::string going(const Verdicts& verdicts) const {
        std::string names;
        const Pruning pruning = plan_pruning(policy, shelf, proved_by(verdicts), now);
        for (const Pruning::Row& row : pruning.rows)
            if (row.goes) names += row.backup.name + " ";
        return names;
    }

    BackupPolicy policy{.name = "nightly", .keep_at_least = 2, .keep_for = 24h * 7};
    const Moment now = Moment(24h * 100);
    Shelf shelf;
};

TEST(Pruning, KeepsTheNewestTheYoungAndTheLastThatIsProved) {
    Days days{1, 2, 3, 9, 10, 11, 12};
    days.shelf.backups.push_back({.name = "?", .unusable = "it is no dump"});
    EXPECT_EQ(days.going({}), "") << "none is proved: none goes";
    EXPECT_EQ(days.going({{proved("2", "f2")}}), "9 10 11 12 ");
    EXPECT_EQ(days.going({{proved("10", "f10")}}), "11 12 ") << "the last one that is proved stays, and what is newer";
    EXPECT_EQ(days.going({{proved("2", "changed since")}}), "");
    EXPECT_EQ(days.going({{proved("2", "f2", Truth::unknown)}}), "");
    days.policy.keep_at_least = 5;
    EXPECT_EQ(days.going({{proved("2", "f2")}}), "11 12 ");
    days.policy.keep_at_least = 0;
    EXPECT_EQ(days.going({{proved("2", "f2")}}), "") << "without `keep` nothing is removed";
}

TEST(Pruning, KeepsTheBaseBackupWithWhichTheRecoveryWindowBegins) {
    Days days{1, 2, 3, 9, 10, 11};
    days.policy.log = "wal";
    EXPECT_EQ(days.going({{proved("2", "f2")}}), "10 11 ") << "a moment seven days ago is recovered from 9";
    days.shelf.backups[3].modified = days.now - 24h;
    EXPECT_EQ(days.going({{proved("2", "f2")}}), "9 11 ") << "it took until after that moment, so the one before";
}

TEST(Pruning, RemovesABackupWithWhatBelongsToIt) {
    const World world;
    world.create("nightly");
    const Shelf shelf = look_at_shelf(world.estate, world.policy("nightly"), SystemClock{}.now()).value();
    ASSERT_TRUE(remove_backup(*shelf.newest()));
    EXPECT_THAT(names_in(world.store + "/dumps"), IsEmpty());
}

TEST(Pruning, RemovesWhatAKilledProcessLeft) {
    const World world;
    const CreatedBackup made = world.create("nightly");
    const std::string dumps = world.store + "/dumps/";
    // As one killed before the last rename, one killed while it wrote, and one killed while it removed.
    std::ofstream(dumps + "a.dump.kedge-manifest") << "{}";
    std::ofstream(dumps + "a.dump.globals.sql") << "--";
    std::ofstream(dumps + "b.dump.kedge-manifest.new.123") << "{";
    std::ofstream(dumps + ".kedge-new-c.dump") << "PGDMP";
    std::ofstream(dumps + "everything.globals.sql") << "-- of somebody else, who has no manifest beside it";
    const Moment now = SystemClock{}.now();
    const Shelf shelf = look_at_shelf(world.estate, world.policy("nightly"), now).value();
    EXPECT_THAT(shelf.unfinished, ElementsAre(".kedge-new-c.dump", "a.dump.globals.sql", "a.dump.kedge-manifest",
                                              "b.dump.kedge-manifest.new.123"));
    verify::Effort effort;
    const auto pruning =
        plan_pruning(world.estate, world.policy("nightly"), world.directory.path() + "/state", now, effort).value();
    EXPECT_TRUE(pruning.removes_any());
    ASSERT_TRUE(carry_out(pruning));
    EXPECT_THAT(names_in(world.store + "/dumps"),
                ElementsAre("everything.globals.sql", made.name, made.name + ".globals.sql",
                            made.name + ".kedge-manifest", made.name + ".kedge-manifest.sha256"));
}

TEST(Pruning, CopyIsKeptUntilANewerOneIsProvedByItsOwnContent) {
    World world;
    world.set_estate("prove: checksummed\n    keep: {at-least: 9, for: 7d}");
    const std::string state = world.directory.path() + "-state";
    for (const Span later : {Span{}, Span{2s}, Span{4s}}) world.create("nightly", later);
    ASSERT_EQ(world.try_create("away")->size(), 3u);
    const Moment later = SystemClock{}.now() + 1h;
    const auto plan = [&] {
        verify::Effort effort;
        return plan_pruning(world.estate, world.policy("away"), state, later, effort).value();
    };
    EXPECT_FALSE(plan().removes_any()) << "none is proved";

    fs::create_directories(state + "/backups");
    Verdicts verdicts;
    verdicts.add(world.judged("nightly").value());
    ASSERT_TRUE(verdicts.judgements.front().is_sound());
    ASSERT_TRUE(write_verdicts(state, "nightly", verdicts));
    const std::string newest = world.store + "/copies/" + verdicts.judgements.front().name;
    const std::string content = read_file(newest).value();
    std::ofstream(newest, std::ios::binary) << "P" << content.substr(1, content.size() - 2) << "?";
    EXPECT_FALSE(plan().removes_any()) << "what was proved is another content";
    std::ofstream(newest, std::ios::binary) << content;
    const Pruning two = plan();
    ASSERT_EQ(two.rows.size(), 3u);
    EXPECT_FALSE(two.rows[0].goes);
    EXPECT_TRUE(two.rows[1].goes && two.rows[2].goes);
    ASSERT_TRUE(carry_out(two));
    EXPECT_EQ(look_at_shelf(world.estate, world.policy("away"), later)->backups.size(), 1u);
    EXPECT_THAT(create_backup(world.estate, world.policy("away"), {.now = later}).value(), IsEmpty())
        << "what is not kept is not copied again";
    fs::remove_all(state);
}

// The moments that are reached from each base backup on the shelf.
std::vector<std::string> window_of(const World& world) {
    Material material;
    const auto gathered = gather(material, {world.store + "/base"}, {world.store + "/wal"});
    EXPECT_TRUE(gathered) << (gathered ? "" : gathered.error().message);
    const verify::MemberTransactions transactions(material.archive, material.wal, material.limits, material.effort);
    const verify::Window window = verify::recovery_window(material.archive, material.bases, transactions).value();
    std::vector<std::string> reached;
    for (const verify::Reach& reach : window.reaches) {
        EXPECT_TRUE(reach.reaches()) << reach.why_not;
        reached.push_back(to_string(reach.earliest.value_or(Moment{})) + " " +
                          to_string(reach.latest.value_or(Moment{})));
    }
    return reached;
}

TEST(LogPruning, RemovesWhatNoBaseBackupNeedsAndKeepsTheWindow) {
    const World world;
    const auto change = [&] {
        world.server->sql("INSERT INTO notes VALUES (1)");
        world.archive();
    };
    change();
    change();
    const CreatedBackup first = world.create("images");
    change();
    change();
    const CreatedBackup second = world.create("images", 2s);
    change();
    std::ofstream(world.store + "/wal/00000002.history") << "1\t0/1000000\tkept for ever\n";
    std::ofstream(world.store + "/wal/notes.txt") << "not ours";
    const Moment later = SystemClock{}.now() + 1h;
    const auto plan = [&](Moment now) {
        verify::Effort effort;
        return plan_pruning(world.estate, world.policy("wal"), world.directory.path() + "/state", now, effort);
    };
    EXPECT_THAT(plan(SystemClock{}.now())->log->going, IsEmpty()) << "all of it is younger than `keep.for`";

    const std::vector<std::string> before = window_of(world);
    ASSERT_EQ(before.size(), 4u) << "of two base backups, towards two timelines, the newest first";
    const LogPruning of_first = *plan(later)->log;
    EXPECT_THAT(of_first.why, HasSubstr(first.name));
    ASSERT_GE(of_first.going.size(), 2u);
    for (const LogFile& file : of_first.going) EXPECT_LT(file.parts.stem, of_first.begins);
    ASSERT_TRUE(carry_out(*plan(later)));
    EXPECT_EQ(window_of(world), before) << "every moment is still reached";
    EXPECT_THAT(plan(later)->log->going, IsEmpty());

    const Shelf shelf = look_at_shelf(world.estate, world.policy("images"), later).value();
    const auto oldest = std::ranges::find(shelf.backups, first.name, &StoredBackup::name);
    ASSERT_NE(oldest, shelf.backups.end());
    ASSERT_TRUE(remove_backup(*oldest));
    EXPECT_THAT(plan(later)->log->why, HasSubstr(second.name));
    ASSERT_GE(plan(later)->log->going.size(), 2u);
    ASSERT_TRUE(carry_out(*plan(later)));
    EXPECT_THAT(window_of(world), ElementsAre(before[0], before[2]));
    EXPECT_THAT(names_in(world.store + "/wal"), Contains("00000002.history"));
    EXPECT_THAT(names_in(world.store + "/wal"), Contains("notes.txt"));
}

TEST(LogPruning, WhatIsNotKnownKeepsAllOfIt) {
    const World world;
    world.archive();
    const Moment later = SystemClock{}.now() + 1h;
    const auto plan = [&] {
        verify::Effort effort;
        return plan_pruning(world.estate, world.policy("wal"), world.directory.path() + "/state", later, effort);
    };
    EXPECT_EQ(plan().error().fault, Fault::not_found) << "nobody knows what lies where base backups should";
    fs::create_directories(world.store + "/base");
    EXPECT_THAT(plan()->log->why, HasSubstr("there is no base backup"));
    EXPECT_FALSE(plan()->removes_any());
    world.create("images");
    EXPECT_TRUE(plan());
    fs::create_directories(world.store + "/base/strange");
    std::ofstream(world.store + "/base/strange/file") << "?";
    EXPECT_EQ(plan().error().fault, Fault::refused);
    EXPECT_THAT(plan().error().message, HasSubstr("strange of images does not say"));
}

StoredLog log_of(std::initializer_list<const char*> names) {
    StoredLog log;
    for (const char* name : names) log.files.push_back({verify::parse_wal_file_name(name), name, 1, {}});
    return log;
}

TEST(LogPruning, GoesInOnePieceOnWhateverTimeline) {
    BackupPolicy policy{.name = "wal", .keep_at_least = 1, .keep_for = 1h};
    StoredLog log = log_of({"000000010000000000000001", "000000010000000000000002.gz", "000000010000000000000003",
                            "000000010000000000000003.partial", "000000020000000000000003", "000000020000000000000004",
                            "000000010000000000000002.00000028.backup", "00000002.history"});
    const auto going = [&](const std::vector<LogNeed>& needs) {
        std::vector<std::string> names;
        const LogPruning pruning = plan_log_pruning(policy, log, needs, Moment(24h)).value();
        for (const LogFile& file : pruning.going) names.push_back(file.name);
        return names;
    };
    EXPECT_THAT(going({{"one", "000000020000000000000004"}, {"two", "000000010000000000000003"}}),
                ElementsAre("000000010000000000000001", "000000010000000000000002.gz",
                            "000000010000000000000002.00000028.backup"));
    EXPECT_THAT(going({{"one", "000000020000000000000004"}}), Not(Contains("00000002.history")));
    EXPECT_EQ(going({{"one", "000000020000000000000004"}}).size(), 6u);
    log.files[1].modified = Moment(24h) - 10min;
    EXPECT_THAT(going({{"one", "000000020000000000000004"}}), ElementsAre("000000010000000000000001"))
        << "a young one stays, and all behind it";
    policy.keep_at_least = 0;
    EXPECT_THAT(going({{"one", "000000020000000000000004"}}), IsEmpty()) << "without `keep` nothing is removed";
}

}  // namespace
}  // namespace kedge::backup
