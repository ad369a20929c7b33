// What every cache driver must do, the simulated one included: one suite, written once.
//
//   INSTANTIATE_TEST_SUITE_P(Sentinel, CacheContract, testing::Values(&make_world));
//
// To be included by one file of a test program.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "targets/cache_world.h"

namespace kedge {

class CacheContract : public testing::TestWithParam<std::unique_ptr<CacheWorld> (*)()> {
protected:
    Moment soon() const { return world_->now() + std::chrono::seconds{2}; }
    CacheLook look(const std::string& region) {
        auto seen = cache_.look(region, soon());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen ? *seen : CacheLook{};
    }
    std::vector<SentinelLook> sentinels() {
        auto seen = cache_.sentinels(soon());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen ? *seen : std::vector<SentinelLook>{};
    }
    std::ptrdiff_t sentinels_naming(const std::string& region) {
        const auto all = sentinels();
        return std::ranges::count_if(all, [&](const SentinelLook& one) { return one.master == region; });
    }
    bool await(const std::function<bool()>& condition, Span limit = std::chrono::seconds{15}) {
        return world_->await(condition, limit);
    }
    bool await_master(const std::string& region) {
        return await([&] { return look(region).master == Truth::yes && sentinels_naming(region) > 0; });
    }
    void hold_sentinels() {
        std::map<std::string, Span> longer;
        const auto all = sentinels();
        for (const SentinelLook& one : all) longer[one.name] = std::chrono::hours{1};
        ASSERT_TRUE(cache_.set_down_after(longer, soon()));
    }
    // A planned failover from east to west as the plans do it, each step waited for.
    void move_to_west() {
        ASSERT_TRUE(cache_.pause_writes("east", world_->down_after() - std::chrono::milliseconds{500}, soon()));
        const std::int64_t held = look("east").offset.value();
        ASSERT_TRUE(await([&] { return look("west").offset.value_or(0) >= held; }));
        const auto asked = cache_.fail_over("west", soon());
        ASSERT_TRUE(asked) << asked.error().message;
        ASSERT_TRUE(await_master("west"));
        ASSERT_TRUE(cache_.follow("east", "west", soon()));
        ASSERT_TRUE(await([&] { return look("east").master == Truth::no; }));
        ASSERT_TRUE(cache_.resume_writes("east", soon()));
    }
    template <class T>
    static void expect_error(const Result<T>& result, Fault fault, const std::string& words = "") {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, fault) << result.error().message;
        EXPECT_THAT(result.error().message, testing::HasSubstr(words));
    }

    std::unique_ptr<CacheWorld> world_ = GetParam()();
    Cache& cache_ = world_->cache();
};

TEST_P(CacheContract, ShowsMasterReplicaAndAgreeingSentinels) {
    const CacheLook east = look("east"), west = look("west");
    EXPECT_EQ(east.reachable, Truth::yes);
    EXPECT_EQ(east.master, Truth::yes);
    EXPECT_EQ(east.replicas, 1);
    EXPECT_EQ(east.manager, "");
    EXPECT_EQ(east.min_replicas_to_write, 0);
    EXPECT_EQ(west.master, Truth::no);
    EXPECT_EQ(west.follows, "east");
    EXPECT_EQ(west.link_up, Truth::yes);
    EXPECT_EQ(west.replication_id, east.replication_id);
    EXPECT_TRUE(east.offset && west.offset);
    EXPECT_TRUE(await([&] { return look("west").keys == look("east").keys; }));
    const auto all = sentinels();
    ASSERT_EQ(all.size(), 3u);
    for (const SentinelLook& one : all) {
        EXPECT_EQ(one.reachable, Truth::yes) << one.says;
        EXPECT_EQ(one.master, "east") << one.says;
        EXPECT_EQ(one.quorum, Truth::yes) << one.says;
        EXPECT_EQ(one.calm, Truth::yes) << one.says;
    }
}

TEST_P(CacheContract, KnowsNoOtherRegion) {
    expect_error(cache_.look("north", soon()), Fault::not_found, "north");
    expect_error(cache_.fail_over("north", soon()), Fault::not_found, "north");
    expect_error(cache_.pause_writes("north", std::chrono::seconds{1}, soon()), Fault::not_found, "north");
}

TEST_P(CacheContract, APlannedFailoverInTheRightOrderLosesNoAcknowledgedWrite) {
    world_->start_writing();
    ASSERT_TRUE(await([&] { return world_->acknowledged() > 20; }));
    move_to_west();
    const std::int64_t before = world_->acknowledged();
    EXPECT_TRUE(await([&] { return world_->acknowledged() > before + 20; }));
    const auto written = world_->stop_writing();
    EXPECT_EQ(written.missing, 0) << "of " << written.acknowledged;
    EXPECT_TRUE(await([&] { return sentinels_naming("west") == 3; }));
    EXPECT_EQ(look("east").follows, "west");
    EXPECT_TRUE(await([&] { return look("east").link_up == Truth::yes; }));
}

TEST_P(CacheContract, HoldsWritesUntilTheyAreLetThrough) {
    world_->start_writing();
    ASSERT_TRUE(await([&] { return world_->acknowledged() > 5; }));
    ASSERT_TRUE(cache_.pause_writes("east", world_->down_after() - std::chrono::milliseconds{200}, soon()));
    std::int64_t held = -1;
    // Whatever was on its way has been answered once the figure stands still.
    ASSERT_TRUE(await([&] { return std::exchange(held, world_->acknowledged()) == world_->acknowledged(); }));
    EXPECT_EQ(look("east").master, Truth::yes);  // reads are served
    ASSERT_TRUE(cache_.resume_writes("east", soon()));
    EXPECT_TRUE(await([&] { return world_->acknowledged() > held; }, std::chrono::seconds{1}));
    EXPECT_EQ(world_->stop_writing().missing, 0);
}

TEST_P(CacheContract, LetsWritesThroughByItselfWhenTheLimitHasPassed) {
    ASSERT_TRUE(cache_.pause_writes("east", std::chrono::milliseconds{300}, soon()));
    EXPECT_TRUE(cache_.write_canary("east", "canary", soon()));
}

TEST_P(CacheContract, RefusesToHoldWritesWhereThatWouldRaiseAFalseAlarm) {
    const auto refused = cache_.pause_writes("east", world_->down_after(), soon());
    expect_error(refused, Fault::refused, "down-after-milliseconds");
    EXPECT_THAT(refused.error().message, testing::HasSubstr(to_string(world_->down_after())));
    expect_error(cache_.pause_writes("west", std::chrono::seconds{1}, soon()), Fault::refused, "replica");
    EXPECT_TRUE(cache_.write_canary("east", "canary", soon()));
}

TEST_P(CacheContract, WritesACanaryOnTheMasterOnly) {
    EXPECT_TRUE(cache_.write_canary("east", "canary", soon()));
    EXPECT_TRUE(cache_.write_canary("east", "canary", soon()));
    expect_error(cache_.write_canary("west", "canary", soon()), Fault::refused, "replica");
}

TEST_P(CacheContract, RefusesASecondFailoverWhileOneIsUnderWay) {
    ASSERT_TRUE(cache_.fail_over("west", soon()));
    expect_error(cache_.fail_over("west", soon()), Fault::conflict);
    EXPECT_TRUE(await_master("west"));
}

TEST_P(CacheContract, RefusesToFailOverToTheMasterItself) {
    expect_error(cache_.fail_over("east", soon()), Fault::refused, "already");
}

TEST_P(CacheContract, RefusesToFailOverWithoutAQuorum) {
    world_->kill("sentinel-east");
    world_->kill("sentinel-outside");
    ASSERT_TRUE(await([&] {
        const auto all = sentinels();
        return std::ranges::any_of(all, [](const SentinelLook& one) { return one.quorum == Truth::no; });
    }));
    expect_error(cache_.fail_over("west", soon()), Fault::refused, "quorum");
    EXPECT_EQ(look("east").master, Truth::yes);
}

TEST_P(CacheContract, RefusesToFailOverWhenTheReplicaIsGone) {
    world_->kill("west");
    EXPECT_EQ(look("west").reachable, Truth::no);
    // At once, although no Sentinel has noticed; later the Sentinels say so themselves.
    expect_error(cache_.fail_over("west", soon()), Fault::unavailable);
    EXPECT_EQ(look("east").master, Truth::yes);
    const auto all = sentinels();
    for (const SentinelLook& one : all) EXPECT_EQ(one.calm, Truth::yes) << one.says;
}

TEST_P(CacheContract, RefusesToFailOverWhileSentinelsDisagree) {
    world_->mislead("sentinel-outside", "west");
    ASSERT_TRUE(await([&] { return sentinels_naming("west") == 1 && sentinels_naming("east") == 2; }));
    expect_error(cache_.fail_over("west", soon()), Fault::refused, "disagree");
}

TEST_P(CacheContract, SilenceIsUnknownAndCostsNoMoreThanTheDeadline) {
    world_->freeze("west");
    const Moment start = world_->now();
    const auto seen = cache_.look("west", start + std::chrono::milliseconds{400});
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->reachable, Truth::unknown) << seen->says;
    EXPECT_EQ(seen->master, Truth::unknown);
    EXPECT_LT(world_->now() - start, std::chrono::seconds{1});
    world_->thaw("west");
    EXPECT_TRUE(await([&] { return look("west").master == Truth::no; }));
}

TEST_P(CacheContract, ASilentSentinelIsListedAndDoesNotHoldUpTheOthers) {
    world_->freeze("sentinel-outside");
    const Moment start = world_->now();
    const auto all = *cache_.sentinels(start + std::chrono::seconds{10});
    EXPECT_LT(world_->now() - start, std::chrono::seconds{3});
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(std::ranges::count(all, Truth::unknown, &SentinelLook::reachable), 1);
    EXPECT_EQ(std::ranges::count(all, Truth::yes, &SentinelLook::reachable), 2);
    EXPECT_TRUE(cache_.fail_over("west", soon()));
    EXPECT_TRUE(await_master("west"));
    world_->thaw("sentinel-outside");
}

TEST_P(CacheContract, SaysWhenTheSentinelLastHeardFromTheReplica) {
    // Every ten seconds: within so long it has just heard.
    ASSERT_TRUE(await(
        [&] {
            const auto heard = cache_.since_heard("west", soon());
            EXPECT_TRUE(heard) << heard.error().message;
            return heard && *heard && **heard <= std::chrono::seconds{1};
        },
        std::chrono::seconds{30}));
    expect_error(cache_.since_heard("east", soon()), Fault::refused, "master already");
}

TEST_P(CacheContract, TakesOverFromADeadMasterWithoutWaitingForTheSentinelsToNotice) {
    world_->kill("east");
    const auto asked = cache_.fail_over("west", soon());
    ASSERT_TRUE(asked) << asked.error().message;
    EXPECT_TRUE(await_master("west"));
    EXPECT_EQ(look("east").reachable, Truth::no);
    EXPECT_TRUE(cache_.write_canary("west", "canary", soon()));
}

// It reaches the node that takes over, whatever parts the regions.
TEST_P(CacheContract, AsksTheSentinelNearestToTheRegionThatTakesOver) {
    ASSERT_TRUE(cache_.fail_over("west", soon()));
    // The one that was asked is busy until the failover has ended; the others learn of it only then.
    std::vector<std::string> busy;
    for (const SentinelLook& one : sentinels())
        if (one.calm == Truth::no) busy.push_back(one.name);
    EXPECT_THAT(busy, testing::ElementsAre(world_->listed_as("sentinel-west")));
    EXPECT_TRUE(await_master("west"));
}

TEST_P(CacheContract, AsksAnotherSentinelWhenTheNearestIsSilent) {
    world_->freeze("sentinel-west");
    const auto asked = cache_.fail_over("west", soon());
    ASSERT_TRUE(asked) << asked.error().message;
    EXPECT_TRUE(await_master("west"));
    world_->thaw("sentinel-west");
    EXPECT_TRUE(await([&] { return sentinels_naming("west") == 3; }, std::chrono::seconds{30}));
}

// Sentinels do so only after it has called itself master for some seconds: what it takes until then is lost.
TEST_P(CacheContract, SentinelsTurnRoundAnOldMasterThatNobodyTouches) {
    world_->kill("east");
    ASSERT_TRUE(cache_.fail_over("west", soon()));
    ASSERT_TRUE(await_master("west"));
    world_->restart("east");
    ASSERT_TRUE(await([&] { return look("east").master == Truth::yes; }));
    EXPECT_TRUE(cache_.write_canary("east", "stray", soon())) << "it takes writes";
    EXPECT_TRUE(await([&] { return look("east").follows == "west" && look("east").link_up == Truth::yes; },
                      std::chrono::seconds{60}));
    EXPECT_TRUE(await([&] { return look("east").replication_id == look("west").replication_id; }));
    EXPECT_EQ(look("east").keys, look("west").keys) << "it starts over from its master's data";
}

TEST_P(CacheContract, TurnsAnOldMasterRoundThatComesBackWritable) {
    world_->kill("east");
    ASSERT_TRUE(cache_.fail_over("west", soon()));
    ASSERT_TRUE(await_master("west"));
    world_->restart("east");
    // Two masters, until somebody does something.
    ASSERT_TRUE(await([&] { return look("east").master == Truth::yes; }));
    expect_error(cache_.follow("west", "west", soon()), Fault::invalid_input);
    ASSERT_TRUE(cache_.follow("east", "west", soon()));
    EXPECT_TRUE(await([&] { return look("east").follows == "west" && look("east").link_up == Truth::yes; }));
    expect_error(cache_.write_canary("east", "canary", soon()), Fault::refused);
}

TEST_P(CacheContract, FollowsNothingButAMaster) {
    expect_error(cache_.follow("east", "west", soon()), Fault::refused, "no master");
    EXPECT_EQ(look("east").master, Truth::yes);
    EXPECT_TRUE(cache_.follow("west", "east", soon()));  // it does already
    world_->freeze("east");
    expect_error(cache_.follow("west", "east", world_->now() + std::chrono::milliseconds{300}), Fault::unavailable);
    world_->thaw("east");
}

TEST_P(CacheContract, HasSentinelsWaitLongerAndWatchAsBefore) {
    std::map<std::string, Span> longer, before;
    for (const SentinelLook& one : sentinels()) {
        ASSERT_EQ(one.down_after, world_->down_after());
        EXPECT_EQ(one.votes, 2);
        before[one.name] = *one.down_after;
        longer[one.name] = std::chrono::hours{1};
    }
    ASSERT_TRUE(cache_.set_down_after(longer, soon()));
    for (const SentinelLook& one : sentinels()) EXPECT_EQ(one.down_after, std::chrono::hours{1}) << one.name;
    world_->kill("east");
    EXPECT_FALSE(await([&] { return sentinels_naming("west") > 0; }, 3 * world_->down_after()))
        << "nobody takes it for down";
    ASSERT_TRUE(cache_.set_down_after(before, soon()));
    EXPECT_TRUE(await([&] { return sentinels_naming("west") == 3; }, std::chrono::seconds{60}));
}

TEST_P(CacheContract, NamesASentinelThatCannotBeTold) {
    world_->kill("sentinel-outside");
    std::map<std::string, Span> longer;
    for (const char* name : {"sentinel-east", "sentinel-west", "sentinel-outside"})
        longer[world_->listed_as(name)] = std::chrono::hours{1};
    EXPECT_FALSE(cache_.set_down_after(longer, soon()));
    const auto all = sentinels();
    EXPECT_EQ(std::ranges::count(all, std::optional<Span>(std::chrono::hours{1}), &SentinelLook::down_after), 2)
        << "the others have been";
}

TEST_P(CacheContract, TakesOverFromNobodyWhoIsNotThere) {
    EXPECT_NE(cache_.look_beside("127.0.0.1:1", soon()).value().reachable, Truth::yes);
    expect_error(cache_.take_over("east", "127.0.0.1:1", soon()), Fault::unavailable);
    EXPECT_EQ(look("east").master, Truth::yes);
    EXPECT_TRUE(cache_.lead("east", soon())) << "it does already";
    expect_error(cache_.lead("west", soon()), Fault::refused, "a node of the group");
}

TEST_P(CacheContract, CopiesADataSetFromAServerBesideAndLeadsAgainWithIt) {
    hold_sentinels();
    const std::string beside = world_->start_beside(7);
    EXPECT_EQ(cache_.look_beside(beside, soon())->keys, 7);
    expect_error(cache_.take_over("west", beside, soon()), Fault::conflict, "no master");
    ASSERT_TRUE(cache_.take_over("east", beside, soon()));
    EXPECT_EQ(look("east").follows, beside);
    ASSERT_TRUE(await([&] { return look("east").link_up == Truth::yes; }));
    EXPECT_EQ(look("east").keys, 7);
    EXPECT_EQ(look("east").replication_id, cache_.look_beside(beside, soon())->replication_id);
    expect_error(cache_.write_canary("east", "canary", soon()), Fault::refused, "replica");
    EXPECT_TRUE(await([&] { return look("west").keys == 7; })) << "its replica gets the same";
    EXPECT_TRUE(cache_.take_over("east", beside, soon())) << "it does already";

    ASSERT_TRUE(cache_.lead("east", soon()));
    EXPECT_EQ(look("east").master, Truth::yes);
    EXPECT_TRUE(await([&] {
        return look("west").link_up == Truth::yes && look("west").replication_id == look("east").replication_id;
    }));
    EXPECT_EQ(look("west").keys, 7);
    EXPECT_EQ(sentinels_naming("east"), 3);
    EXPECT_TRUE(cache_.write_canary("east", "canary", soon()));
}

// Sentinels ask a master for its role each ten seconds, and take one that is a replica for down after two of them.
TEST_P(CacheContract, SentinelsThatAreNotHeldReplaceAMasterThatCopiesAServerBeside) {
    const std::string beside = world_->start_beside(7);
    ASSERT_TRUE(cache_.take_over("east", beside, soon()));
    EXPECT_FALSE(await([&] { return sentinels_naming("west") > 0; }, 2 * world_->down_after()))
        << "it answers: for a while they wait";
    EXPECT_TRUE(await([&] { return sentinels_naming("west") == 3; }, std::chrono::seconds{90}));
    expect_error(cache_.lead("east", soon()), Fault::refused);
    EXPECT_TRUE(await([&] { return look("east").follows == "west"; }, std::chrono::seconds{60}))
        << "they turn it round";
}

TEST_P(CacheContract, AMasterThatStartsAgainHoldsWhatItHeldAndIsCalledOtherwise) {
    hold_sentinels();
    const CacheLook before = look("east");
    world_->kill("east");
    world_->restart("east");
    ASSERT_TRUE(await([&] { return look("east").master == Truth::yes; }));
    EXPECT_EQ(look("east").keys, before.keys);
    EXPECT_NE(look("east").replication_id, before.replication_id) << "positions of both do not compare";
}

}  // namespace kedge
