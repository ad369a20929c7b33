// A cache that lost its data, from the snapshot to the master that leads with it: what the real ones do, by
// tests/redis_recovery_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "estate/parse.h"
#include "sim/world/simulated_cache.h"
#include "sim/world/simulated_recoveries.h"
#include "targets/cache_recoveries_contract.h"

namespace kedge::sim {
namespace {

using testing::HasSubstr;

constexpr const char* sessions_estate = R"(estate: small
regions: {east: {}, west: {}}
tiers: {critical: {rto: 1h, rpo: 5m}}
targets:
  sessions:
    kind: cache
    driver: sentinel
    master-name: sessions
    recovered-at: 10.0.0.9:6400
    quorum: 2
    sentinels: [{address: "10.0.0.1:26379", region: east}, {address: "10.0.1.1:26379", region: west}]
    sites: {east: {address: "10.0.0.1:6379"}, west: {address: "10.0.1.1:6379"}}
  vault: {kind: store, driver: file, path: /vault}
backups:
  snapshots: {kind: snapshot, of: sessions, in: vault, below: rdb, max-age: 25h}
)";
constexpr const char* beside = "10.0.0.9:6400";
constexpr std::int64_t all_keys = 40, older_keys = 20;

class SimulatedCacheCopies : public testing::Test {
protected:
    SimulatedCacheCopies()
        : estate(*parse_estate("estate.yaml", sessions_estate)),
          ground({"east", "west"}, 1),
          model(ground, "sessions", 0, {0, 1, 2}, 2),
          cache(ground, model),
          backups(ground, estate, {}, {&model}),
          recoveries(ground, backups, {}, {&model}) {
        model.recovered_at = beside;
        pass(10s);
    }
    void pass(Span span) { ground.schedule().run_until(ground.now() + span); }
    Moment soon() const { return ground.now() + 10s; }
    RecoveryLook look() { return recoveries.look("copy", soon()).value(); }
    CacheLook node(const std::string& region) { return cache.look(region, soon()).value(); }
    void restore(const std::string& before = "") {
        ASSERT_TRUE(recoveries.restore_snapshot(
            {.name = "copy", .cache = "sessions", .snapshot = "", .before = before, .policy = "", .drop = ""}, "r/made",
            soon()));
        pass(3min);
        EXPECT_EQ(recoveries.failure("r/made").value(), std::nullopt);
    }
    void keep(const std::string& key) {
        ASSERT_TRUE(recoveries.keep("copy", "east", key, soon()));
        pass(1min);
    }
    void hold_sentinels(Span span) {
        std::map<std::string, Span> spans;
        const std::vector<SentinelLook> all = *cache.sentinels(soon());
        for (const SentinelLook& one : all) spans[one.name] = span;
        ASSERT_TRUE(cache.set_down_after(spans, soon()));
    }

    Estate estate;
    Ground ground;
    CacheModel model;
    SimulatedCache cache;
    SimulatedBackups backups;
    SimulatedRecoveries recoveries;
};

TEST_F(SimulatedCacheCopies, AFlushIsReplicatedAndTheSnapshotComesBackByReplication) {
    hold_sentinels(1h);
    model.flush();
    pass(1s);
    EXPECT_EQ(node("west").keys, 0);
    restore();
    const RecoveryLook made = look();
    EXPECT_EQ(made.address, beside);
    for (const Truth one : {made.stands, made.proved, made.usable, made.answers}) EXPECT_EQ(one, Truth::yes);
    EXPECT_EQ(get_integer(made.proof, "keys"), all_keys) << "without those that must not come back";

    ASSERT_TRUE(cache.take_over("east", beside, soon()));
    EXPECT_EQ(node("east").follows, beside);
    pass(10s);
    EXPECT_EQ(node("east").keys, all_keys);
    EXPECT_EQ(node("east").replication_id, cache.look_beside(beside, soon())->replication_id);
    EXPECT_EQ(cache.write_canary("east", "canary", soon()).error().fault, Fault::refused) << "it is a replica";
    ASSERT_TRUE(cache.lead("east", soon()));
    pass(5s);
    EXPECT_EQ(node("east").master, Truth::yes);
    EXPECT_EQ(node("west").keys, all_keys) << "its replica came along";
    EXPECT_EQ(node("west").link_up, Truth::yes);
    EXPECT_EQ(node("west").replication_id, node("east").replication_id);
}

TEST_F(SimulatedCacheCopies, DamagedAndEmptySnapshotsArePassedOver) {
    backups.damage_newest();
    model.flush();
    backups.take_snapshots();
    restore();
    EXPECT_EQ(get_integer(look().proof, "keys"), older_keys) << "those of the day before";
    EXPECT_EQ(get(look().choice, "passed_over").size(), 2U);
}

TEST_F(SimulatedCacheCopies, WhereNoneIsSoundNothingIsPossible) {
    backups.damage_snapshots();
    restore();
    EXPECT_EQ(look().possible, Truth::no);
    EXPECT_EQ(look().stands, Truth::no);
    EXPECT_THAT(look().says, HasSubstr("no snapshot is sound"));
    EXPECT_EQ(recoveries.failure("r/made").value(), std::nullopt) << "it left its result";
}

TEST_F(SimulatedCacheCopies, OnlyOneOfBeforeTheMomentIsTaken) {
    restore(kedge::to_string(ground.now() - 20h));
    EXPECT_EQ(get_integer(look().proof, "keys"), older_keys);
}

TEST_F(SimulatedCacheCopies, StaysShutWhileNobodyKnowsWhoIsExcluded) {
    recoveries.excluded_are_known = false;
    restore();
    EXPECT_EQ(look().stands, Truth::yes);
    EXPECT_EQ(look().usable, Truth::no);
    EXPECT_EQ(look().address, "");
    EXPECT_EQ(cache.take_over("east", beside, soon()).error().fault, Fault::unavailable);
    recoveries.of_caches().mend();
    EXPECT_EQ(look().usable, Truth::yes);
}

TEST_F(SimulatedCacheCopies, WhatTheNodeHoldsIsKeptOnce) {
    restore();
    keep("r/keep");
    const Json kept = get(look().proof, "kept");
    EXPECT_EQ(get_string(kept, "key"), "r/keep");
    EXPECT_EQ(get_string(kept, "replication_id"), node("east").replication_id);
    keep("r/other");
    EXPECT_THAT(recoveries.failure("r/other").value().value_or(""), HasSubstr("already"));
    keep("r/keep");
    EXPECT_EQ(recoveries.failure("r/keep").value(), std::nullopt);
}

TEST_F(SimulatedCacheCopies, ANodeThatIsCutOffWhileItLoadsHoldsWhatItHeld) {
    hold_sentinels(1h);
    restore();
    model.flush();
    pass(1s);
    ASSERT_TRUE(cache.take_over("east", beside, soon()));
    pass(1ms);
    recoveries.of_caches().stop();
    pass(10s);
    EXPECT_EQ(node("east").keys, 0);
    EXPECT_EQ(node("east").link_up, Truth::no);
    EXPECT_NE(node("east").replication_id, cache.look_beside(beside, soon())->replication_id);
    recoveries.of_caches().mend();
    pass(10s);
    EXPECT_EQ(node("east").keys, all_keys);
}

TEST_F(SimulatedCacheCopies, AMasterThatStartsAgainIsCalledOtherwise) {
    const auto before = node("east").replication_id;
    ground.set_health(model.at(0).part, Health::dead);
    ground.set_health(model.at(0).part, Health::up);
    EXPECT_NE(node("east").replication_id, before);
    EXPECT_EQ(node("east").keys, all_keys);
}

TEST_F(SimulatedCacheCopies, SentinelsThatNobodyHeldMakeTheReplicaMaster) {
    restore();
    ASSERT_TRUE(cache.take_over("east", beside, soon()));
    pass(20s);
    EXPECT_EQ(node("west").master, Truth::no) << "they wait for two answers that it is a replica";
    pass(30s);
    EXPECT_EQ(node("west").master, Truth::yes);
    EXPECT_EQ(cache.lead("east", soon()).error().fault, Fault::refused);
    pass(20s);
    EXPECT_EQ(node("east").follows, "west") << "they turn it round";
}

class SimulatedCacheRecoveriesWorld final : public CacheRecoveriesWorld {
public:
    SimulatedCacheRecoveriesWorld() {
        cache_.recovered_at = beside;
        pass(10s);
        backups_.damage_snapshots();
        cache_.flush();
        pass(10s);
    }

    Recoveries& recoveries() override { return recoveries_; }
    Moment now() const override { return ground_.now(); }
    void pass() override { pass(100ms); }
    void set_ledger(bool readable) override { recoveries_.excluded_are_known = readable; }
    void end_copy(const std::string&) override { recoveries_.of_caches().stop(); }
    void add_keys(std::int64_t count) override {
        cache_.write(cache_.at(0), RecordKind::rows, written_ += count, count, 100);
        pass(1s);
    }
    std::int64_t keys() override { return cache_.at(0).keys; }
    void flush() override { cache_.flush(); }
    void snapshot() override {
        pass(2s);
        backups_.take_snapshots();
    }
    void damage_newest() override { backups_.damage_newest(); }
    void silence(bool silent) override {
        ground_.set_health(cache_.at(0).part, silent ? Health::frozen : Health::up);
        ground_.changed();
    }

private:
    void pass(Span span) { ground_.schedule().run_until(ground_.now() + span); }

    std::int64_t written_ = 0;
    Estate estate_ = *parse_estate("estate.yaml", sessions_estate);
    Ground ground_{{"east", "west"}, 1};
    CacheModel cache_{ground_, "sessions", 0, {0, 1, 2}, 2};
    SimulatedBackups backups_{ground_, estate_, {}, {&cache_}};
    SimulatedRecoveries recoveries_{ground_, backups_, {}, {&cache_}};
};

INSTANTIATE_TEST_SUITE_P(Simulated, CacheRecoveriesContract,
                         testing::Values([] { return std::make_unique<SimulatedCacheRecoveriesWorld>(); }));

}  // namespace
}  // namespace kedge::sim
