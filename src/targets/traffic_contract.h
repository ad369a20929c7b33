// What every driver of an entrance must do, as tests that run against any of them, the simulator's included.
//
//     INSTANTIATE_TEST_SUITE_P(Haproxy, TrafficContract, testing::Values(&make_world));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "targets/traffic.h"

namespace kedge {

// An entrance before the regions `east` and `west`, both sound. East has a weight of 100, west of 0.
class TrafficWorld {
public:
    virtual ~TrafficWorld() = default;
    virtual Traffic& traffic() = 0;

    virtual Moment now() const = 0;
    // Lets time pass until `holds`, for at most half a minute of the world's time; whether it came to hold.
    virtual bool await(const std::function<bool()>& holds) = 0;

    // A new request of a user: the region that answers it; "" if it is answered by nobody.
    virtual std::string request() = 0;
    // A user comes and stays connected, wherever the entrance sends them.
    virtual void stay_connected() = 0;
    // What the region runs answers the entrance's checks and everybody else no more, and again.
    virtual void lose(const std::string& region) = 0;
    virtual void bring_back(const std::string& region) = 0;
    // The entrance itself is silent, and answers again.
    virtual void freeze() = 0;
    virtual void thaw() = 0;
};

class TrafficContract : public testing::TestWithParam<std::unique_ptr<TrafficWorld> (*)()> {
protected:
    Moment soon(Span span = std::chrono::seconds{5}) const { return world_->now() + span; }
    TrafficLook look() {
        const Result<TrafficLook> seen = traffic_.look(soon());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen ? *seen : TrafficLook{};
    }
    void shift(const std::map<std::string, int>& weights) {
        const Result<void> done = traffic_.shift(weights, soon());
        ASSERT_TRUE(done) << done.error().message;
    }
    // How many of so many new requests each region answers; those that nobody does stand under "".
    std::map<std::string, int> answers_of(int requests) {
        std::map<std::string, int> answers;
        for (int i = 0; i < requests; ++i) ++answers[world_->request()];
        return answers;
    }
    bool await_healthy(const std::string& region, Truth healthy) {
        return world_->await([&] { return look()[region].healthy == healthy; });
    }

    const std::unique_ptr<TrafficWorld> world_ = GetParam()();
    Traffic& traffic_ = world_->traffic();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TrafficContract);

TEST_P(TrafficContract, ShowsEveryRegionAsItIs) {
    const TrafficLook seen = look();
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen.at("east").weight, 100);
    EXPECT_EQ(seen.at("east").open, Truth::yes);
    EXPECT_EQ(seen.at("west").weight, 0);
    EXPECT_EQ(seen.at("west").open, Truth::no);
    for (const auto& [region, share] : seen) EXPECT_EQ(share.healthy, Truth::yes) << region;
}

TEST_P(TrafficContract, SendsUsersWhereTheWeightsSay) {
    EXPECT_EQ(answers_of(20), (std::map<std::string, int>{{"east", 20}}));
    shift({{"east", 0}, {"west", 100}});
    EXPECT_EQ(look()["east"].open, Truth::no);
    EXPECT_EQ(look()["west"].open, Truth::yes);
    EXPECT_EQ(answers_of(20), (std::map<std::string, int>{{"west", 20}}));
    shift({{"east", 50}, {"west", 50}});
    const std::map<std::string, int> both = answers_of(100);
    EXPECT_GT(both.at("east"), 10);
    EXPECT_GT(both.at("west"), 10);
    EXPECT_EQ(both.count(""), 0U);
}

TEST_P(TrafficContract, ShiftsTheSameTwiceAsOnce) {
    for (int i = 0; i < 2; ++i) {
        shift({{"east", 25}, {"west", 75}});
        EXPECT_EQ(look()["east"].weight, 25);
        EXPECT_EQ(look()["west"].weight, 75);
    }
}

TEST_P(TrafficContract, LeavesARegionThatIsNotNamedAsItIs) {
    shift({{"west", 100}});
    EXPECT_EQ(look()["east"].weight, 100);
    EXPECT_EQ(look()["east"].open, Truth::yes);
}

// A weight of 0 that were only "last choice" would send users back to a region that was lost and fenced.
TEST_P(TrafficContract, SendsNobodyToAClosedRegionThoughNobodyElseAnswers) {
    shift({{"east", 0}, {"west", 100}});
    world_->lose("west");
    ASSERT_TRUE(await_healthy("west", Truth::no));
    EXPECT_NE(look()["east"].healthy, Truth::yes) << "what is closed is not checked";
    EXPECT_EQ(answers_of(20), (std::map<std::string, int>{{"", 20}}));
    world_->bring_back("west");
    ASSERT_TRUE(await_healthy("west", Truth::yes));
    EXPECT_EQ(answers_of(5), (std::map<std::string, int>{{"west", 5}}));
}

TEST_P(TrafficContract, SendsUsersToTheRegionThatIsSoundWhileBothAreOpen) {
    shift({{"east", 50}, {"west", 50}});
    world_->lose("east");
    ASSERT_TRUE(await_healthy("east", Truth::no));
    EXPECT_EQ(answers_of(20), (std::map<std::string, int>{{"west", 20}}));
}

TEST_P(TrafficContract, EndsTheSessionsOfARegion) {
    for (int i = 0; i < 3; ++i) world_->stay_connected();
    ASSERT_TRUE(world_->await([&] { return look()["east"].sessions.value_or(0) >= 3; }));
    EXPECT_EQ(look()["west"].sessions, 0);
    for (int i = 0; i < 2; ++i) {
        const Result<void> cut = traffic_.cut_sessions("east", soon());
        EXPECT_TRUE(cut) << cut.error().message;
    }
    EXPECT_TRUE(world_->await([&] { return look()["east"].sessions == 0; }));
    EXPECT_EQ(look()["east"].open, Truth::yes) << "only the sessions end";
}

TEST_P(TrafficContract, KnowsNoRegionThatIsNotThere) {
    const Result<void> shifted = traffic_.shift({{"atlantis", 100}}, soon());
    const Result<void> cut = traffic_.cut_sessions("atlantis", soon());
    ASSERT_FALSE(shifted || cut);
    EXPECT_EQ(shifted.error().fault, Fault::not_found);
    EXPECT_EQ(cut.error().fault, Fault::not_found);
    EXPECT_EQ(look()["east"].weight, 100);
}

TEST_P(TrafficContract, DoesNotClaimWhatASilentEntranceMayNotHaveDone) {
    world_->freeze();
    const Moment start = world_->now();
    const Result<TrafficLook> seen = traffic_.look(soon(std::chrono::milliseconds{300}));
    const Result<void> shifted = traffic_.shift({{"east", 0}, {"west", 100}}, soon(std::chrono::milliseconds{300}));
    ASSERT_FALSE(seen || shifted);
    EXPECT_EQ(seen.error().fault, Fault::unavailable) << seen.error().message;
    EXPECT_EQ(shifted.error().fault, Fault::outcome_unknown)
        << "it lies with the entrance, which may come to it: " << shifted.error().message;
    EXPECT_LE(world_->now() - start, std::chrono::seconds{2}) << "silence costs the deadlines and no more";
    world_->thaw();
    EXPECT_TRUE(world_->await([&] { return traffic_.look(soon()).has_value(); }));
}

}  // namespace kedge
