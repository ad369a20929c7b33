#include "sim/world/simulated_recoveries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "estate/parse.h"

namespace kedge::sim {
namespace {

using testing::HasSubstr;

constexpr const char* estate_text = R"(estate: small
regions: {east: {}, west: {}}
tiers: {critical: {rto: 1h, rpo: 5m}}
targets:
  db:
    kind: database
    driver: host
    database: postgres
    sites:
      east: {connection: host=east, replication: host=east, data-directory: /d, fence: {look: [/f, l], raise: [/f, r], lower: [/f, d]}}
      west: {connection: host=west, replication: host=west, data-directory: /d, fence: {look: [/f, l], raise: [/f, r], lower: [/f, d]}}
  vault: {kind: store, driver: file, path: /vault}
backups:
  images: {kind: base-backup, of: db, in: vault, below: base, log: wal, max-age: 8d}
  wal: {kind: log, of: db, in: vault, below: wal, max-age: 1h}
)";

class SimulatedRecoveriesTest : public testing::Test {
protected:
    SimulatedRecoveriesTest()
        : estate(*parse_estate("estate.yaml", estate_text)),
          ground({"east", "west"}, 1),
          database(ground, "db", 0),
          backups(ground, estate, {&database}),
          recoveries(ground, backups, {&database}) {
        pass(10s);
        write(1);
        pass(10s);
    }
    void pass(Span span) { ground.schedule().run_until(ground.now() + span); }
    void write(std::int64_t row) {
        database.write(database.at(0), RecordKind::rows, row, 1, 100);
        database.log().acknowledge(database.at(0).held.branch);
    }
    Moment soon() const { return ground.now() + 10s; }
    RecoveryLook look() { return recoveries.look("copy", soon()).value(); }
    void make(const std::string& to = "latest") {
        ASSERT_TRUE(recoveries.make({.name = "copy", .database = "db", .to = to, .policy = ""}, "r/make", soon()));
        pass(3min);
    }

    Estate estate;
    Ground ground;
    DatabaseModel database;
    SimulatedBackups backups;
    SimulatedRecoveries recoveries;
};

TEST_F(SimulatedRecoveriesTest, WhatNobodyMadeIsNotThere) {
    EXPECT_FALSE(look().exists);
    EXPECT_EQ(look().working, Truth::no);
    ASSERT_TRUE(recoveries.compare("copy", "east", "r/compare", soon()));
    pass(1min);
    EXPECT_THAT(recoveries.failure("r/compare").value().value_or(""), HasSubstr("there is no recovery copy"));
}

TEST_F(SimulatedRecoveriesTest, OneWorksOnItAtATimeAndThenItStands) {
    ASSERT_TRUE(recoveries.make({.name = "copy", .database = "db", .to = "latest", .policy = ""}, "r/make", soon()));
    EXPECT_EQ(look().working, Truth::yes);
    EXPECT_EQ(recoveries.discard("copy", "r/discard", soon()).error().fault, Fault::conflict);
    pass(3min);
    const RecoveryLook made = look();
    EXPECT_EQ(made.working, Truth::no);
    EXPECT_EQ(made.key, "r/make");
    for (const Truth one : {made.stands, made.proved, made.usable, made.answers}) EXPECT_EQ(one, Truth::yes);
    EXPECT_EQ(recoveries.failure("r/make").value(), std::nullopt);
    ASSERT_TRUE(recoveries.discard("copy", "r/discard", soon()));
    pass(1min);
    EXPECT_FALSE(look().exists);
}

TEST_F(SimulatedRecoveriesTest, KilledWorkIsToldToWhoAskedAndToNobodyElse) {
    ASSERT_TRUE(recoveries.make({.name = "copy", .database = "db", .to = "latest", .policy = ""}, "r/make", soon()));
    EXPECT_TRUE(recoveries.work().kill());
    pass(3min);
    EXPECT_NE(look().stands, Truth::yes);
    EXPECT_THAT(recoveries.failure("r/make").value().value_or(""), HasSubstr("killed"));
    recoveries.work().forget();
    EXPECT_EQ(recoveries.failure("r/make").value(), std::nullopt);
}

TEST_F(SimulatedRecoveriesTest, WhatTheArchiveCannotGiveIsNotMade) {
    backups.has_gap = true;
    make();
    EXPECT_EQ(look().possible, Truth::no);
    EXPECT_EQ(look().stands, Truth::no);
}

TEST_F(SimulatedRecoveriesTest, NothingMovesWithoutTheFence) {
    make();
    ASSERT_TRUE(recoveries.prepare("copy", "east", "r/prepare", soon()));
    pass(10s);
    EXPECT_EQ(look().prepared, Truth::yes);
    ASSERT_TRUE(recoveries.promote("copy", "east", "r/swap", soon()));
    pass(10s);
    EXPECT_THAT(recoveries.failure("r/swap").value().value_or(""), HasSubstr("runs"));
    database.kill(database.at(0));
    ASSERT_TRUE(recoveries.promote("copy", "east", "r/swap", soon()));
    pass(10s);
    EXPECT_THAT(recoveries.failure("r/swap").value().value_or(""), HasSubstr("fence"));
    EXPECT_EQ(look().promoted, Truth::no);
}

TEST_F(SimulatedRecoveriesTest, SwappedInItHasWhatItHeldOnALaterTimelineAndIsTakenBackWhole) {
    make(kedge::to_string(ground.now()));
    write(2);
    ASSERT_TRUE(recoveries.compare("copy", "east", "r/compare", soon()));
    pass(1min);
    EXPECT_EQ(get_integer(get(get(look().comparison, "tables"), "lab_heartbeat"), "only_production"), 1);
    ASSERT_TRUE(recoveries.prepare("copy", "east", "r/prepare", soon()));
    pass(10s);
    const Point before = database.at(0).held;
    database.raise_fence(database.at(0));
    ASSERT_TRUE(recoveries.promote("copy", "east", "r/swap", soon()));
    pass(10s);
    EXPECT_EQ(look().promoted, Truth::yes);
    EXPECT_LT(database.at(0).held.position, before.position);
    write(3);
    EXPECT_GT(database.log().timeline(database.at(0).held), database.log().timeline(before));
    ASSERT_TRUE(recoveries.put_back("copy", "east", "r/back", soon()));
    pass(10s);
    EXPECT_EQ(look().promoted, Truth::no);
    EXPECT_EQ(database.at(0).held.branch, before.branch);
    EXPECT_EQ(database.at(0).held.position, before.position);
}

TEST_F(SimulatedRecoveriesTest, ExchangedItHasWhatItHeldInALogThatGoesOnAndItsStandbyFollows) {
    const auto rows = [&](const Point& point) {
        std::vector<std::int64_t> found;
        database.log().each(point, [&](const Record& record) {
            if (record.kind == RecordKind::rows) found.push_back(record.first);
        });
        std::ranges::sort(found);
        return found;
    };
    make(kedge::to_string(ground.now()));
    write(2);
    ASSERT_TRUE(recoveries.exchange("copy", "east", "r/exchange", soon()));
    pass(10s);
    EXPECT_THAT(recoveries.failure("r/exchange").value().value_or(""), HasSubstr("not loaded"));
    ASSERT_TRUE(recoveries.load("copy", "east", "r/load", soon()));
    pass(3min);
    EXPECT_EQ(look().prepared, Truth::yes);
    EXPECT_TRUE(look().exchanges);
    ASSERT_TRUE(recoveries.promote("copy", "east", "r/swap", soon()));
    pass(10s);
    EXPECT_THAT(recoveries.failure("r/swap").value().value_or(""), HasSubstr("not prepared"));
    const Point before = database.at(0).held;
    ASSERT_TRUE(recoveries.exchange("copy", "east", "r/again", soon()));
    pass(10s);
    EXPECT_EQ(look().promoted, Truth::yes) << look().says;
    write(3);
    pass(10s);
    database.settle();
    const Point now = database.at(0).held, standby = database.at(1).held;
    EXPECT_EQ(rows(now), (std::vector<std::int64_t>{1, 3})) << "what was written after the copy was taken is away";
    EXPECT_EQ(rows(standby), rows(now));
    EXPECT_EQ(rows(before), (std::vector<std::int64_t>{1, 2}));
    EXPECT_GT(now.position, before.position);
    EXPECT_EQ(standby.position, now.position) << "the standby has followed";
    EXPECT_EQ(database.log().timeline(now), database.log().timeline(before));
    int missing = 0;
    database.log().each_missing(now, [&](const Record& record) { missing += record.kind == RecordKind::rows ? 1 : 0; });
    EXPECT_EQ(missing, 1);
    ASSERT_TRUE(recoveries.put_back("copy", "east", "r/back", soon()));
    pass(10s);
    EXPECT_EQ(rows(database.at(0).held), (std::vector<std::int64_t>{1, 2}));
    EXPECT_FALSE(look().exchanges);
}

TEST_F(SimulatedRecoveriesTest, NothingIsExchangedInAServerThatTakesNoWrites) {
    make();
    ASSERT_TRUE(recoveries.load("copy", "east", "r/load", soon()));
    pass(3min);
    database.kill(database.at(0));
    ASSERT_TRUE(recoveries.exchange("copy", "east", "r/exchange", soon()));
    pass(10s);
    EXPECT_THAT(recoveries.failure("r/exchange").value().value_or(""), HasSubstr("takes no writes"));
    EXPECT_EQ(look().promoted, Truth::no);
}

TEST_F(SimulatedRecoveriesTest, ABackupIsJudgedForWhoAskedAndANewOneIsSound) {
    backups.damage_newest();
    ASSERT_TRUE(backups.judge("images", Judging::again, "r/verify", soon()));
    EXPECT_EQ(backups.judge("images", Judging::again, "r/other", soon()).error().fault, Fault::conflict);
    pass(2min);
    EXPECT_EQ(backups.look("images", soon())->answers.at("proved").holds, Truth::no);
    EXPECT_EQ(get_string(backups.look("images", soon())->answers.at("proved").evidence, "key"), "r/verify");
    const auto before = backups.look("images", soon())->newest;
    ASSERT_TRUE(backups.create("images", "east", "r/create", soon()));
    pass(2min);
    EXPECT_NE(backups.look("images", soon())->newest, before);
    ASSERT_TRUE(backups.judge("images", Judging::recovery, "r/again", soon()));
    pass(2min);
    EXPECT_EQ(backups.look("images", soon())->answers.at("recovered").holds, Truth::yes);
}

TEST_F(SimulatedRecoveriesTest, NoBackupIsTakenOfAServerThatDoesNotAnswer) {
    database.kill(database.at(0));
    ASSERT_TRUE(backups.create("images", "east", "r/create", soon()));
    pass(2min);
    EXPECT_THAT(backups.failure("images", "r/create").value().value_or(""), HasSubstr("does not answer"));
}

}  // namespace
}  // namespace kedge::sim
