// The simulated recoveries keep the contract that the real driver keeps, and do to log and standbys what a server does.
#include "sim/world/simulated_recoveries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "estate/parse.h"
#include "targets/recoveries_contract.h"

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
  nightly: {kind: dump, of: db, in: vault, below: dumps, max-age: 25h}
)";

// Numbers of the rows that a copy of the database has there.
std::set<std::int64_t> numbers_at(const DatabaseModel& database, const Point& point) {
    std::set<std::int64_t> found;
    database.log().each(point, [&](const Record& record) {
        if (record.kind == RecordKind::rows) found.insert(record.first);
    });
    return found;
}

class SimulatedRecoveriesWorld final : public RecoveriesWorld {
public:
    SimulatedRecoveriesWorld() { write(1); }

    Recoveries& recoveries() override { return recoveries_; }
    Moment now() const override { return ground_.now(); }
    void pass() override { pass(100ms); }
    void write(std::int64_t row) override {
        database_.write(server_, RecordKind::rows, row, 1, 100);
        database_.log().acknowledge(server_.held.branch);
        pass(10s);
    }
    std::set<std::int64_t> rows() override { return numbers_at(database_, server_.held); }
    void lose_segment() override { backups_.has_gap = true; }
    void dump() override { take_backup("nightly"); }
    void damage_dump() override { backups_.damage_newest(); }
    void drop_database() override { database_.gone = true; }
    void set_ledger(bool readable) override { recoveries_.excluded_are_known = readable; }
    void stop_production() override {
        database_.shut_down(server_);
        ASSERT_TRUE(await([&] { return !database_.runs(server_); }));
    }
    void start_production() override {
        database_.start(server_);
        ASSERT_TRUE(await([&] { return database_.accepts_writes(server_); }));
    }
    void set_fence(bool up) override { server_.fenced = truth(up); }
    void kill_work() override { ASSERT_TRUE(recoveries_.work().kill()); }
    void end_copy(const std::string& name) override { recoveries_.copies().at(name).answers = false; }

private:
    void take_backup(const std::string& policy) {
        ASSERT_TRUE(backups_.create(policy, "east", "r/backup", now() + 1min));
        ASSERT_TRUE(await([&] { return !backups_.work().goes_on(policy); }));
    }
    void pass(Span span) { ground_.schedule().run_until(ground_.now() + span); }

    Estate estate_ = *parse_estate("estate.yaml", estate_text);
    Ground ground_{{"east"}, 1};
    DatabaseModel database_{ground_, "db", 0};
    DatabaseModel::Server& server_ = database_.at(0);
    SimulatedBackups backups_{ground_, estate_, {&database_}};
    SimulatedRecoveries recoveries_{ground_, backups_, {&database_}};
};

INSTANTIATE_TEST_SUITE_P(Simulated, RecoveriesContract,
                         testing::Values([] { return std::make_unique<SimulatedRecoveriesWorld>(); }));

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

TEST_F(SimulatedRecoveriesTest, WhoeverAskedAndIsGoneHearsOfNoFailure) {
    ASSERT_TRUE(recoveries.make({.name = "copy", .database = "db", .to = "latest", .policy = ""}, "r/make", soon()));
    EXPECT_TRUE(recoveries.work().kill());
    EXPECT_NE(recoveries.failure("r/make").value(), std::nullopt);
    recoveries.work().forget();
    EXPECT_EQ(recoveries.failure("r/make").value(), std::nullopt);
}

TEST_F(SimulatedRecoveriesTest, SwappedInItWritesOnALaterTimelineAndTakenBackItLeavesNone) {
    make(kedge::to_string(ground.now()));
    write(2);
    ASSERT_TRUE(recoveries.prepare("copy", "east", "r/prepare", soon()));
    pass(10s);
    const Point before = database.at(0).held;
    database.raise_fence(database.at(0));
    ASSERT_TRUE(recoveries.promote("copy", "east", "r/swap", soon()));
    pass(10s);
    EXPECT_LT(database.at(0).held.position, before.position);
    write(3);
    EXPECT_GT(database.log().timeline(database.at(0).held), database.log().timeline(before));
    ASSERT_TRUE(recoveries.put_back("copy", "east", "r/back", soon()));
    pass(10s);
    EXPECT_EQ(database.at(0).held.branch, before.branch);
    EXPECT_EQ(database.at(0).held.position, before.position);
    ASSERT_TRUE(recoveries.prepare("copy", "east", "r/again", soon()));
    pass(10s);
    EXPECT_NE(recoveries.failure("r/again").value().value_or("").find("timeline"), std::string::npos);
}

TEST_F(SimulatedRecoveriesTest, ExchangedItHasWhatItHeldInALogThatGoesOnAndItsStandbyFollows) {
    make(kedge::to_string(ground.now()));
    write(2);
    ASSERT_TRUE(recoveries.load("copy", "east", "r/load", soon()));
    pass(3min);
    const Point before = database.at(0).held;
    ASSERT_TRUE(recoveries.exchange("copy", "east", "r/exchange", soon()));
    pass(10s);
    EXPECT_EQ(look().promoted, Truth::yes) << look().says;
    write(3);
    pass(10s);
    database.settle();
    const Point now = database.at(0).held, standby = database.at(1).held;
    EXPECT_EQ(numbers_at(database, now), (std::set<std::int64_t>{1, 3}));
    EXPECT_EQ(numbers_at(database, standby), numbers_at(database, now));
    EXPECT_EQ(numbers_at(database, before), (std::set<std::int64_t>{1, 2}));
    EXPECT_GT(now.position, before.position);
    EXPECT_EQ(standby.position, now.position) << "the standby has followed";
    EXPECT_EQ(database.log().timeline(now), database.log().timeline(before));
    int missing = 0;
    database.log().each_missing(now, [&](const Record& record) { missing += record.kind == RecordKind::rows ? 1 : 0; });
    EXPECT_EQ(missing, 1);
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

TEST_F(SimulatedRecoveriesTest, NoDumpIsTakenOfADatabaseThatIsGone) {
    database.gone = true;
    for (const char* policy : {"images", "nightly"})
        ASSERT_TRUE(backups.create(policy, "east", fmt::format("r/{}", policy), soon()));
    pass(2min);
    EXPECT_EQ(backups.failure("images", "r/images").value(), std::nullopt);
    EXPECT_THAT(backups.failure("nightly", "r/nightly").value().value_or(""), HasSubstr("not there"));
}

}  // namespace
}  // namespace kedge::sim
