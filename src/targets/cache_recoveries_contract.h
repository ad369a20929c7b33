// What every Recoveries must do with the snapshots of a cache; see recoveries_contract.h.
//
//     INSTANTIATE_TEST_SUITE_P(Own, CacheRecoveriesContract, testing::Values(make_my_world));
#pragma once

#include <cstdint>
#include <string>

#include "targets/recoveries_contract.h"

namespace kedge {

// A cache `sessions` whose master, in `east`, holds no key, and a policy of snapshots. Nobody is in the erasure ledger
// who has keys.
class CacheRecoveriesWorld : public RecoveriesGround {
public:
    virtual void add_keys(std::int64_t count) = 0;
    virtual std::int64_t keys() = 0;  // of the master
    virtual void flush() = 0;
    // Of what the master holds, the newest one. Two are not of the same second.
    virtual void snapshot() = 0;
    virtual void damage_newest() = 0;
    // The master does not answer, and does again.
    virtual void silence(bool silent) = 0;
};

class CacheRecoveriesContract : public OfARecovery<CacheRecoveriesWorld> {
protected:
    static SnapshotOrder newest() {
        return {.name = "copy", .cache = "sessions", .snapshot = "", .before = "", .policy = "", .drop = ""};
    }
    void restore(const SnapshotOrder& order = newest()) {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.restore_snapshot(order, "r/restore", soon()), "r/restore"));
    }
    std::optional<std::int64_t> chosen_keys() { return get_integer(look().choice, "keys"); }
    void expect_impossible() {
        const RecoveryLook seen = look();
        EXPECT_TRUE(seen.exists);
        EXPECT_EQ(seen.key, "r/restore");
        for (const Truth not_so : {seen.possible, seen.stands, seen.usable}) EXPECT_EQ(not_so, Truth::no) << told(seen);
        EXPECT_EQ(seen.address, "");
        EXPECT_FALSE(get_string(seen.choice, "says").value_or("").empty());
    }
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CacheRecoveriesContract);

TEST_P(CacheRecoveriesContract, ASnapshotStandsBesideWhatThereIs) {
    world->add_keys(20);
    world->snapshot();
    world->flush();
    ASSERT_NO_FATAL_FAILURE(restore());
    const RecoveryLook made = look();
    EXPECT_TRUE(made.exists);
    EXPECT_EQ(made.key, "r/restore");
    for (const Truth holds : {made.possible, made.stands, made.proved, made.usable, made.answers})
        EXPECT_EQ(holds, Truth::yes) << told(made) << made.says;
    for (const Truth never : {made.prepared, made.promoted}) EXPECT_EQ(never, Truth::no) << told(made);
    EXPECT_EQ(chosen_keys(), 20);
    EXPECT_EQ(get_integer(made.proof, "keys_in_file"), 20);
    EXPECT_EQ(get_integer(made.proof, "keys"), 20);
    EXPECT_NE(made.address, "") << "nodes copy it there";
    EXPECT_EQ(world->keys(), 0) << "what there is is as it was";

    ASSERT_NO_FATAL_FAILURE(await_end(recoveries.restore_snapshot(newest(), "r/restore", soon())));
    EXPECT_EQ(told(), told(made)) << "what stands is not made again";
    ASSERT_NO_FATAL_FAILURE(
        expect_refused([&](const std::string& key) { return recoveries.restore_snapshot(newest(), key, soon()); },
                       "nor for somebody else"));
    for (const Order order : {&Recoveries::compare, &Recoveries::prepare, &Recoveries::promote, &Recoveries::load,
                              &Recoveries::exchange, &Recoveries::put_back})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "it is no database"));

    world->end_copy("copy");
    ASSERT_TRUE(world->await([&] { return look().answers == Truth::no; }));
    EXPECT_EQ(look().stands, Truth::yes);
    discard();
}

TEST_P(CacheRecoveriesContract, IsTheNewestThatIsSoundAndHoldsWhatOneExpects) {
    world->add_keys(20);
    world->snapshot();
    world->add_keys(10);
    world->snapshot();
    world->damage_newest();
    ASSERT_NO_FATAL_FAILURE(restore());
    EXPECT_EQ(chosen_keys(), 20) << "a damaged one is passed over";
    discard();
    world->flush();
    world->snapshot();
    ASSERT_NO_FATAL_FAILURE(restore());
    EXPECT_EQ(chosen_keys(), 20) << "and an empty one";
    discard();
    world->add_keys(5);
    world->snapshot();
    ASSERT_NO_FATAL_FAILURE(restore());
    ASSERT_NO_FATAL_FAILURE(expect_impossible());
    discard();
    SnapshotOrder named = newest();
    named.before = kedge::to_string(world->now() + std::chrono::hours{1});
    ASSERT_NO_FATAL_FAILURE(restore(named));
    EXPECT_EQ(chosen_keys(), 5) << "who says which, is believed";
    discard();
}

TEST_P(CacheRecoveriesContract, WithoutASoundOneNothingIsMade) {
    world->add_keys(20);
    world->snapshot();
    world->damage_newest();
    ASSERT_NO_FATAL_FAILURE(restore());
    ASSERT_NO_FATAL_FAILURE(expect_impossible());
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "nothing was made"));
    discard();
}

TEST_P(CacheRecoveriesContract, NobodyReachesOneThatMayHoldWhoIsErased) {
    world->add_keys(20);
    world->snapshot();
    world->set_ledger(false);
    ASSERT_NO_FATAL_FAILURE(await_end(recoveries.restore_snapshot(newest(), "r/restore", soon())));
    const RecoveryLook made = look();
    EXPECT_EQ(made.stands, Truth::yes) << made.says;
    EXPECT_EQ(made.usable, Truth::no);
    EXPECT_EQ(made.address, "");
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "nothing replaces what is there"));
    discard();
}

TEST_P(CacheRecoveriesContract, WhatTheNodeHoldsIsKeptOnce) {
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "there is no recovery"));
    world->add_keys(20);
    world->snapshot();
    world->add_keys(3);
    ASSERT_NO_FATAL_FAILURE(restore());
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "there is no such region", "nowhere"));
    world->silence(true);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "the node does not answer"));
    world->silence(false);
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::keep, "r/keep"));
    const Json kept = get(look().proof, "kept");
    EXPECT_EQ(get_string(kept, "key"), "r/keep");
    EXPECT_EQ(get_integer(kept, "keys"), 23);
    EXPECT_FALSE(get_string(kept, "replication_id").value_or("").empty());
    EXPECT_TRUE(get_integer(kept, "replication_offset"));
    world->add_keys(1);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::keep, "it was kept for somebody else"));
    EXPECT_EQ(get_integer(get(look().proof, "kept"), "keys"), 23);
    discard();
}

}  // namespace kedge
