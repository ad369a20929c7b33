// What every driver of a database must do that nothing but Kedge promotes: as database_contract.h, and used like it.
//
//     INSTANTIATE_TEST_SUITE_P(Host, UnmanagedDatabaseContract, testing::Values(make_host_world));
#pragma once

#include "targets/database_contract.h"

namespace kedge {

class UnmanagedDatabaseContract : public DatabaseContract {
protected:
    // East is dead with `stranded` orders that west never got; west is the primary with `later` orders more.
    void diverge(int shared, int stranded, int later) {
        world().insert_orders(east, shared);
        ASSERT_TRUE(world().await([&] { return world().count_orders(west) == shared; }));
        world().stop_receiving(west);
        world().insert_orders(east, stranded);
        world().kill(east);
        ASSERT_TRUE(database().promote(west, soon()).has_value());
        ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
        world().insert_orders(west, later);
        ASSERT_TRUE(database().checkpoint(west, soon()).has_value());
    }
    // Waits until a rejoin of east has ended, well or badly.
    void await_rejoined() {
        EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return !seen.rejoin; })) << *look(east).rejoin;
        EXPECT_EQ(look(east).receiving, Truth::yes) << look(east).says;
    }
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UnmanagedDatabaseContract);

// Tests that leave their world as it was.

TEST_P(UnmanagedDatabaseContract, SeesThatNobodyManagesIt) {
    EXPECT_EQ(look(east).manager, "");
    EXPECT_EQ(look(west).manager, "");
}

TEST_P(UnmanagedDatabaseContract, HasNoManagerToSwitchOver) {
    const auto switched = database().switch_over(west, soon());
    ASSERT_FALSE(switched.has_value());
    EXPECT_EQ(switched.error().fault, Fault::refused);
}

TEST_P(UnmanagedDatabaseContract, DoesNotRejoinAServerThatRuns) {
    for (const RejoinBy by : {RejoinBy::rewind, RejoinBy::base_backup}) {
        const auto asked = database().rejoin(west, east, by, soon());
        ASSERT_FALSE(asked.has_value());
        EXPECT_EQ(asked.error().fault, Fault::refused) << asked.error().message;
    }
    EXPECT_EQ(look(west).receiving, Truth::yes);
}

// Tests that spoil their world.

TEST_P(UnmanagedDatabaseContract, RefusesWhatAnotherManagerDecides) {
    spoil_a_fresh_world();
    world().put_under_manager(west);
    EXPECT_EQ(look(west).manager, "patroni");
    const auto promoted = database().promote(west, soon());
    const auto stopped = database().shut_down(west, soon());
    ASSERT_FALSE(promoted.has_value() || stopped.has_value());
    EXPECT_EQ(promoted.error().fault, Fault::refused);
    EXPECT_EQ(stopped.error().fault, Fault::refused);
    EXPECT_NE(promoted.error().message.find("patroni"), std::string::npos) << promoted.error().message;
    EXPECT_EQ(look(west).primary, Truth::no);
}

// Its answer may get lost: whoever asks again must do no harm.
TEST_P(UnmanagedDatabaseContract, IsPromotedOnceHoweverOftenItIsAsked) {
    spoil_a_fresh_world();
    const std::uint32_t before = look(west).timeline.value();
    world().kill(east);
    ASSERT_TRUE(database().promote(west, soon()).has_value());
    for (int i = 0; i < 3; ++i) {
        const auto again = database().promote(west, soon());
        EXPECT_TRUE(again || again.error().fault == Fault::refused) << again.error().message;
    }
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    EXPECT_EQ(look(west).timeline, before + 1);
}

// What was cut short by the deadline and called "unavailable" must not happen when the server wakes.
TEST_P(UnmanagedDatabaseContract, DoesNotDoLaterWhatItCalledUndone) {
    spoil_a_fresh_world();
    ASSERT_EQ(look(west).primary, Truth::no);
    world().freeze(west);
    const auto asked = database().promote(west, soon(std::chrono::milliseconds{300}));
    ASSERT_FALSE(asked.has_value());
    world().thaw(west);
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.reachable == Truth::yes; }));
    const Moment end = soon(std::chrono::seconds{3});
    const bool happened =
        await_look(west, [&](const DatabaseLook& seen) { return seen.primary == Truth::yes || world().now() > end; }) &&
        look(west).primary == Truth::yes;
    EXPECT_FALSE(happened && asked.error().fault == Fault::unavailable) << asked.error().message;
}

// Two primaries, until somebody does something: that is what fences are for.
TEST_P(UnmanagedDatabaseContract, AnOldPrimaryThatIsStartedComesBackWritable) {
    spoil_a_fresh_world();
    world().insert_orders(east, 2);
    ASSERT_TRUE(world().await([&] { return world().count_orders(west) == 2; }));
    world().kill(east);
    ASSERT_TRUE(database().promote(west, soon()).has_value());
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    ASSERT_TRUE(database().start(east, soon()).has_value());
    EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    EXPECT_EQ(look(west).writable, Truth::yes);
    EXPECT_LT(look(east).timeline, look(west).timeline);
    world().insert_orders(east, 1);
    EXPECT_EQ(world().count_orders(east), 3);
    EXPECT_EQ(world().count_orders(west), 2);
}

TEST_P(UnmanagedDatabaseContract, SeesThatAStandbyNoLongerReceives) {
    spoil_a_fresh_world();
    world().stop_receiving(west);
    EXPECT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.receiving == Truth::no; }));
    const DatabaseLook seen = look(west);
    EXPECT_TRUE(seen.timeline.has_value());
    EXPECT_TRUE(seen.received.has_value());
}

TEST_P(UnmanagedDatabaseContract, SeesAServerWhoseDatabaseIsGone) {
    spoil_a_fresh_world();
    ASSERT_TRUE(database().write_heartbeat(east, 1, soon()).has_value());
    EXPECT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.heartbeat.has_value(); }));
    EXPECT_EQ(look(east).serves, Truth::yes);
    EXPECT_EQ(look(west).serves, Truth::yes);
    world().drop_database();
    const DatabaseLook seen = look(east);
    EXPECT_EQ(seen.serves, Truth::no);
    EXPECT_EQ(seen.reachable, Truth::yes);
    EXPECT_EQ(seen.writable, Truth::yes) << "the server takes writes";
    EXPECT_EQ(seen.standbys.size(), 1U);
    EXPECT_NE(seen.says.find("is not there"), std::string::npos) << seen.says;
    EXPECT_FALSE(seen.heartbeat.has_value());
    EXPECT_TRUE(await_look(west, [](const DatabaseLook& follows) {
        return follows.serves == Truth::no && follows.primary == Truth::no && !follows.heartbeat;
    })) << look(west).says;
    const auto canary = database().write_canary(east, "run-1", soon());
    ASSERT_FALSE(canary.has_value());
    EXPECT_EQ(canary.error().fault, Fault::unavailable);
}

TEST_P(UnmanagedDatabaseContract, SendsEverythingBeforeItIsShutDown) {
    spoil_a_fresh_world();
    world().insert_orders(east, 5);
    EXPECT_EQ(database().stopped_at(east, soon()).value(), std::nullopt);
    ASSERT_TRUE(database().shut_down(east, soon()).has_value());
    std::optional<Lsn> last;
    ASSERT_TRUE(world().await([&] {
        last = database().stopped_at(east, soon()).value();
        return last.has_value();
    }));
    EXPECT_TRUE(await_look(west, [&](const DatabaseLook& seen) { return seen.replayed >= last; }));
    EXPECT_EQ(world().count_orders(west), 5);
    EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.reachable == Truth::no; }));
    EXPECT_TRUE(database().shut_down(east, soon()).has_value()) << "asking a second time changes nothing";
}

TEST_P(UnmanagedDatabaseContract, StartsAStoppedServerAgain) {
    spoil_a_fresh_world();
    ASSERT_TRUE(database().shut_down(east, soon()).has_value());
    ASSERT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.reachable == Truth::no; }));
    ASSERT_TRUE(world().await([&] { return database().start(east, soon()).has_value(); }));
    EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    EXPECT_TRUE(database().start(east, soon()).has_value()) << "asking a second time changes nothing";
}

TEST_P(UnmanagedDatabaseContract, DoesNotStartAServerWhoseFenceIsNotDown) {
    spoil_a_fresh_world();
    ASSERT_TRUE(database().shut_down(east, soon()).has_value());
    ASSERT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.reachable == Truth::no; }));
    for (const Truth up : {Truth::yes, Truth::unknown}) {
        world().set_fence(east, up);
        const auto started = database().start(east, soon());
        ASSERT_FALSE(started.has_value());
        EXPECT_EQ(started.error().fault, Fault::refused) << started.error().message;
    }
    EXPECT_EQ(look(east).reachable, Truth::no);
}

TEST_P(UnmanagedDatabaseContract, RaisesAndLowersAFence) {
    spoil_a_fresh_world();
    ASSERT_TRUE(database().raise_fence(east, soon()).has_value());
    EXPECT_EQ(database().look_at_fence(east, soon())->fenced, Truth::yes);
    EXPECT_TRUE(await_look(east, [](const DatabaseLook& seen) { return seen.reachable == Truth::no; }));
    EXPECT_TRUE(database().raise_fence(east, soon()).has_value());
    ASSERT_TRUE(database().lower_fence(east, soon()).has_value());
    EXPECT_EQ(database().look_at_fence(east, soon())->fenced, Truth::no);
}

TEST_P(UnmanagedDatabaseContract, ExportsTheStrandedTailByTable) {
    spoil_a_fresh_world();
    ASSERT_NO_FATAL_FAILURE(diverge(4, 3, 2));
    const auto tail = database().export_stranded(east, west, world().scratch_directory(), soon());
    ASSERT_TRUE(tail.has_value()) << tail.error().message;
    EXPECT_LT(tail->from, tail->to);
    EXPECT_EQ(tail->transactions, 1);
    const auto orders =
        std::ranges::find(tail->changes_by_table, "public.orders", &std::pair<std::string, std::int64_t>::first);
    ASSERT_NE(orders, tail->changes_by_table.end());
    EXPECT_EQ(orders->second, 3);
    EXPECT_FALSE(tail->kept_at.empty());
}

TEST_P(UnmanagedDatabaseContract, ExportsNothingWhenNothingIsStranded) {
    spoil_a_fresh_world();
    world().insert_orders(east, 4);
    ASSERT_TRUE(database().shut_down(east, soon()).has_value());
    ASSERT_TRUE(world().await([&] { return database().stopped_at(east, soon()).value().has_value(); }));
    const std::optional<Lsn> last = database().stopped_at(east, soon()).value();
    ASSERT_TRUE(await_look(west, [&](const DatabaseLook& seen) { return seen.replayed >= last; }));
    ASSERT_TRUE(database().promote(west, soon()).has_value());
    ASSERT_TRUE(await_look(west, [](const DatabaseLook& seen) { return seen.writable == Truth::yes; }));
    const auto tail = database().export_stranded(east, west, world().scratch_directory(), soon());
    ASSERT_TRUE(tail.has_value()) << tail.error().message;
    EXPECT_EQ(tail->transactions, 0);
    EXPECT_TRUE(tail->changes_by_table.empty());
}

TEST_P(UnmanagedDatabaseContract, RejoinsByRewindAndKeepsWhatTheNewPrimaryHas) {
    spoil_a_fresh_world();
    ASSERT_NO_FATAL_FAILURE(diverge(4, 3, 2));
    world().set_fence(east, Truth::yes);
    const auto asked = database().rejoin(east, west, RejoinBy::rewind, soon());
    ASSERT_TRUE(asked.has_value()) << asked.error().message;
    await_rejoined();
    EXPECT_EQ(database().look_at_fence(east, soon())->fenced, Truth::no);
    EXPECT_EQ(look(east).primary, Truth::no);
    EXPECT_EQ(look(east).timeline, look(west).timeline);
    EXPECT_EQ(world().count_orders(west), 6);
    world().insert_orders(west, 1);
    EXPECT_TRUE(world().await([&] { return world().count_orders(east) == 7; }));
}

TEST_P(UnmanagedDatabaseContract, RejoinsByBaseBackupAndKeepsWhatTheNewPrimaryHas) {
    spoil_a_fresh_world();
    ASSERT_NO_FATAL_FAILURE(diverge(4, 3, 2));
    world().set_fence(east, Truth::yes);
    const auto asked = database().rejoin(east, west, RejoinBy::base_backup, soon());
    ASSERT_TRUE(asked.has_value()) << asked.error().message;
    await_rejoined();
    EXPECT_EQ(database().look_at_fence(east, soon())->fenced, Truth::no);
    EXPECT_EQ(look(east).timeline, look(west).timeline);
    EXPECT_EQ(world().count_orders(west), 6);
    EXPECT_TRUE(world().await([&] { return world().count_orders(east) == 6; }));
}

TEST_P(UnmanagedDatabaseContract, DoesNotRejoinToAServerThatIsNoPrimary) {
    spoil_a_fresh_world();
    world().kill(east);
    const auto asked = database().rejoin(east, west, RejoinBy::rewind, soon());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().fault, Fault::refused) << asked.error().message;
}

}  // namespace kedge
