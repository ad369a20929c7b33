// What every driver of a database must do, as tests that run against any of them, the simulator's included.
//
// A test program makes a `DatabaseWorld` for its driver and instantiates the suite, and that of
// unmanaged_database_contract.h if it applies:
//
//     INSTANTIATE_TEST_SUITE_P(Host, DatabaseContract, testing::Values(make_host_world));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "targets/database.h"

namespace kedge {

// Two copies, a primary in `east` and a standby in `west` that streams from it; no fence is up, no heartbeat was
// ever written, and the table `orders` is there and empty. What the tests do here they do behind the driver's back.
class DatabaseWorld {
public:
    virtual ~DatabaseWorld() = default;

    virtual Database& database() = 0;
    virtual Moment now() = 0;
    // Lets time pass until `holds`, for at most half a minute of the world's time; whether it came to hold.
    virtual bool await(const std::function<bool()>& holds) = 0;
    // A directory that does not exist yet, for exports.
    virtual std::string scratch_directory() = 0;

    virtual void kill(const std::string& region) = 0;    // every process, at one instant: its address refuses
    virtual void freeze(const std::string& region) = 0;  // it is silent from now on
    virtual void thaw(const std::string& region) = 0;
    virtual void pause_replay(const std::string& region) = 0;
    virtual void stop_receiving(const std::string& region) = 0;  // the standby's stream ends and is not taken up again
    // Commits `count` new rows of `orders` on the server in `region`.
    virtual void insert_orders(const std::string& region, int count) = 0;
    virtual std::int64_t count_orders(const std::string& region) = 0;  // -1 when the server does not answer

    // On the primary in `east`, with whoever is in it. Unmanaged worlds only.
    virtual void drop_database() = 0;

    // What the fence of `region` answers from now on.
    virtual void set_fence(const std::string& region, Truth up) = 0;
    // Makes the server in `region` look as if Patroni ran it. Unmanaged worlds only.
    virtual void put_under_manager(const std::string& region) = 0;
};

using MakeDatabaseWorld = std::unique_ptr<DatabaseWorld> (*)();

// Every driver.
class DatabaseContract : public testing::TestWithParam<MakeDatabaseWorld> {
protected:
    static constexpr const char* east = "east";
    static constexpr const char* west = "west";

    // The world of all tests of a suite that leave it as it was.
    DatabaseWorld& world() {
        if (!kept_ || kept_of_ != GetParam()) {
            kept_.reset();  // before the next is made
            kept_ = GetParam()();
            kept_of_ = GetParam();
        }
        return *kept_;
    }
    // Called first by a test that will not leave it so: it gets one that nobody has touched, and takes it along.
    void spoil_a_fresh_world() {
        kept_.reset();
        spoilt_ = true;
    }
    void TearDown() override {
        if (spoilt_) kept_.reset();
    }
    static void TearDownTestSuite() { kept_.reset(); }

    Database& database() { return world().database(); }
    Moment soon(Span span = std::chrono::seconds{10}) { return world().now() + span; }
    DatabaseLook look(const char* region) { return database().look(region, soon()).value(); }
    bool await_look(const char* region, const std::function<bool(const DatabaseLook&)>& holds) {
        return world().await([&] { return holds(look(region)); });
    }
    static bool nothing_happened(Fault fault) { return fault == Fault::unavailable || fault == Fault::outcome_unknown; }

    // Newer than every heartbeat so far.
    std::int64_t next_heartbeat() {
        const auto newest = look(east).heartbeat;
        return newest ? newest->sequence + 1 : 1;
    }

private:
    static inline std::unique_ptr<DatabaseWorld> kept_;
    static inline MakeDatabaseWorld kept_of_ = nullptr;
    bool spoilt_ = false;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DatabaseContract);

// Tests of every driver, that leave their world as it was.

TEST_P(DatabaseContract, LooksAtAPrimary) {
    const DatabaseLook seen = look(east);
    EXPECT_EQ(seen.reachable, Truth::yes) << seen.says;
    EXPECT_EQ(seen.primary, Truth::yes) << seen.says;
    EXPECT_EQ(seen.writable, Truth::yes);
    EXPECT_TRUE(seen.timeline.has_value());
    EXPECT_TRUE(seen.written.has_value());
    EXPECT_FALSE(seen.received || seen.replayed);
    EXPECT_TRUE(seen.system_identifier.has_value());
    EXPECT_TRUE(seen.manager.has_value());
    EXPECT_TRUE(seen.synchronous_standby_names.has_value());
    EXPECT_EQ(seen.rejoin, std::nullopt);
    ASSERT_EQ(seen.standbys.size(), 1u);
    EXPECT_EQ(seen.standbys[0].state, "streaming");
    EXPECT_FALSE(seen.says.empty());
}

TEST_P(DatabaseContract, LooksAtAStandby) {
    const DatabaseLook primary = look(east), seen = look(west);
    EXPECT_EQ(seen.reachable, Truth::yes) << seen.says;
    EXPECT_EQ(seen.primary, Truth::no) << seen.says;
    EXPECT_EQ(seen.writable, Truth::no);
    EXPECT_EQ(seen.timeline, primary.timeline);
    EXPECT_EQ(seen.system_identifier, primary.system_identifier);
    EXPECT_FALSE(seen.written);
    ASSERT_TRUE(seen.received && seen.replayed);
    EXPECT_LE(*seen.replayed, *seen.received);
    EXPECT_EQ(seen.receiving, Truth::yes) << seen.says;
    EXPECT_EQ(seen.replay_paused, Truth::no);
    EXPECT_TRUE(seen.retrieve_retry.has_value());
}

TEST_P(DatabaseContract, KnowsNoRegionThatIsNotThere) {
    const auto seen = database().look("nowhere", soon());
    ASSERT_FALSE(seen.has_value());
    EXPECT_EQ(seen.error().fault, Fault::not_found);
}

TEST_P(DatabaseContract, ShowsAHeartbeatOnTheStandby) {
    const std::int64_t next = next_heartbeat();
    const auto written = database().write_heartbeat(east, next, soon());
    ASSERT_TRUE(written.has_value()) << written.error().message;
    EXPECT_EQ(written->sequence, next);
    ASSERT_TRUE(written->position.has_value());
    DatabaseLook seen;
    ASSERT_TRUE(await_look(west, [&](const DatabaseLook& later) {
        seen = later;
        return later.heartbeat && later.heartbeat->sequence == next;
    }));
    EXPECT_EQ(seen.heartbeat->written, written->written);
    EXPECT_GE(*seen.replayed, seen.heartbeat->position.value());
}

// Nothing is written for a while: what was replayed last grows old, and the standby lacks nothing.
TEST_P(DatabaseContract, AStandbyOfAnIdlePrimaryIsNotBehind) {
    const std::int64_t next = next_heartbeat();
    ASSERT_TRUE(database().write_heartbeat(east, next, soon()).has_value());
    const Moment idle = soon(std::chrono::seconds{5});
    ASSERT_TRUE(world().await([&] { return world().now() > idle; }));
    EXPECT_TRUE(await_look(west, [&](const DatabaseLook& seen) {
        return seen.replayed && seen.replayed == look(east).written && seen.received == seen.replayed;
    }));
    const DatabaseLook seen = look(west);
    EXPECT_EQ(seen.receiving, Truth::yes) << seen.says;
    EXPECT_EQ(seen.heartbeat->sequence, next);
}

TEST_P(DatabaseContract, WritesAHeartbeatTwiceAsOne) {
    const std::int64_t next = next_heartbeat();
    const auto first = database().write_heartbeat(east, next, soon());
    const auto second = database().write_heartbeat(east, next, soon());
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_EQ(second->written, first->written);
    EXPECT_GE(*second->position, *first->position);
    EXPECT_EQ(look(east).heartbeat->sequence, next);
}

TEST_P(DatabaseContract, CallsASilentServerUnknown) {
    world().freeze(west);
    const Moment deadline = world().now() + std::chrono::milliseconds{400};
    const DatabaseLook seen = database().look(west, deadline).value();
    EXPECT_EQ(seen.reachable, Truth::unknown);
    EXPECT_EQ(seen.primary, Truth::unknown);
    EXPECT_EQ(seen.writable, Truth::unknown);
    EXPECT_FALSE(seen.timeline || seen.received || seen.replayed || seen.heartbeat);
    EXPECT_FALSE(seen.says.empty());
    EXPECT_LE(world().now(), deadline + std::chrono::milliseconds{250}) << "silence costs the deadline and no more";
    world().thaw(west);
    EXPECT_TRUE(await_look(west, [](const DatabaseLook& later) { return later.primary == Truth::no; }));
}

TEST_P(DatabaseContract, WritesACanaryAndReadsItBack) {
    const auto canary = database().write_canary(east, "run-1", soon());
    ASSERT_TRUE(canary.has_value()) << canary.error().message;
    EXPECT_EQ(canary->key, "run-1");
    EXPECT_EQ(canary->timeline, look(east).timeline);
    EXPECT_LE(canary->position, look(east).written.value());
}

TEST_P(DatabaseContract, WritesTheSameCanaryAgain) {
    const auto first = database().write_canary(east, "run-1", soon());
    const auto second = database().write_canary(east, "run-1", soon());
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_GE(second->position, first->position);
}

TEST_P(DatabaseContract, NamesAPositionOfThePrimaryAndOfNoStandby) {
    const Lsn before = look(east).written.value();
    const auto named = database().create_restore_point(east, "before-it", soon());
    ASSERT_TRUE(named.has_value()) << named.error().message;
    EXPECT_GE(*named, before);
    const auto again = database().create_restore_point(east, "before-it", soon());
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_GE(*again, *named);
    const auto on_standby = database().create_restore_point(west, "before-it", soon());
    ASSERT_FALSE(on_standby.has_value());
    EXPECT_EQ(on_standby.error().fault, Fault::refused);
}

TEST_P(DatabaseContract, RefusesProbeRowsOnAStandby) {
    ASSERT_TRUE(database().write_canary(east, "before", soon()).has_value());
    const auto canary = database().write_canary(west, "run-1", soon());
    ASSERT_FALSE(canary.has_value());
    EXPECT_EQ(canary.error().fault, Fault::refused);
    const auto heartbeat = database().write_heartbeat(west, 1, soon());
    ASSERT_FALSE(heartbeat.has_value());
    EXPECT_EQ(heartbeat.error().fault, Fault::refused);
}

TEST_P(DatabaseContract, DoesNotClaimARowThatASilentServerMayLack) {
    ASSERT_TRUE(database().write_canary(east, "before", soon()).has_value());
    world().freeze(east);
    const auto canary = database().write_canary(east, "run-1", soon(std::chrono::milliseconds{300}));
    ASSERT_FALSE(canary.has_value());
    EXPECT_TRUE(nothing_happened(canary.error().fault)) << canary.error().message;
    world().thaw(east);
    EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
}

TEST_P(DatabaseContract, ReportsAFenceAsItIs) {
    for (const Truth up : {Truth::no, Truth::yes, Truth::unknown}) {
        world().set_fence(east, up);
        const auto fence = database().look_at_fence(east, soon());
        ASSERT_TRUE(fence.has_value()) << fence.error().message;
        EXPECT_EQ(fence->fenced, up);
        EXPECT_FALSE(fence->proof.empty());
    }
    world().set_fence(east, Truth::no);
}

TEST_P(DatabaseContract, RefusesToPromoteAPrimary) {
    const auto asked = database().promote(east, soon());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().fault, Fault::refused) << asked.error().message;
    EXPECT_EQ(look(east).timeline, look(west).timeline);
}

// Tests of every driver, that spoil their world.

TEST_P(DatabaseContract, ShowsNoHeartbeatBeforeItIsWrittenAndReplayed) {
    spoil_a_fresh_world();
    EXPECT_EQ(look(east).heartbeat, std::nullopt);
    EXPECT_EQ(look(west).heartbeat, std::nullopt);
    ASSERT_TRUE(database().write_heartbeat(east, 1, soon()).has_value());
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.heartbeat.has_value(); }));
    world().pause_replay(west);
    // A pause that was asked for takes effect at some later record: what comes before is still replayed. A manager that
    // restarts its new standby meanwhile has it forget the pause.
    std::int64_t newest = 1;
    EXPECT_TRUE(await_look(west, [&](const DatabaseLook& seen) {
        if (seen.replay_paused == Truth::yes && seen.received > seen.replayed) return true;
        if (seen.replay_paused == Truth::no) world().pause_replay(west);
        EXPECT_TRUE(database().write_heartbeat(east, ++newest, soon()).has_value());
        return false;
    }));
    EXPECT_LT(look(west).heartbeat->sequence, newest);
    EXPECT_EQ(look(west).receiving, Truth::yes);
}

TEST_P(DatabaseContract, CallsARefusedConnectionUnreachable) {
    spoil_a_fresh_world();
    EXPECT_EQ(look(west).reachable, Truth::yes);
    world().kill(west);
    const DatabaseLook seen = look(west);
    EXPECT_EQ(seen.reachable, Truth::no) << seen.says;
    EXPECT_EQ(seen.primary, Truth::unknown);
    EXPECT_EQ(seen.writable, Truth::unknown);
}

TEST_P(DatabaseContract, PromotesTheStandbyOfADeadPrimary) {
    spoil_a_fresh_world();
    world().insert_orders(east, 3);
    ASSERT_TRUE(world().await([&] { return world().count_orders(west) == 3; }));
    const std::uint32_t before = look(west).timeline.value();
    world().kill(east);
    // A manager may need its time to see that the old primary is gone; until then it refuses.
    std::string said;
    ASSERT_TRUE(world().await([&] {
        const auto asked = database().promote(west, soon());
        if (!asked) said = asked.error().message;
        return asked.has_value() || look(west).primary == Truth::yes;
    })) << said;
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    EXPECT_EQ(look(west).timeline, before + 1);
    EXPECT_TRUE(look(west).written.has_value());
    EXPECT_EQ(world().count_orders(west), 3);
    const auto canary = database().write_canary(west, "run-1", soon());
    ASSERT_TRUE(canary.has_value()) << canary.error().message;
    EXPECT_EQ(canary->timeline, before + 1);
    EXPECT_TRUE(database().checkpoint(west, soon()).has_value());
}

TEST_P(DatabaseContract, DoesNotClaimToHaveAskedASilentServer) {
    spoil_a_fresh_world();
    EXPECT_EQ(look(west).primary, Truth::no);
    world().freeze(west);
    const auto asked = database().promote(west, soon(std::chrono::milliseconds{300}));
    EXPECT_FALSE(asked.has_value());
    world().thaw(west);
}

}  // namespace kedge
