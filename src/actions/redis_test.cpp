// What the Redis actions make of what nodes and Sentinels say.
#include <gtest/gtest.h>

#include "actions/action.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// A Redis group of two regions whose state the test sets.
class GivenCache final : public Cache {
public:
    std::map<std::string, CacheLook> nodes;
    std::vector<SentinelLook> watchers;
    std::optional<Span> heard;
    int asked = 0;

    Result<CacheLook> look(const std::string& region, Moment) override { return nodes.at(region); }
    Result<std::vector<SentinelLook>> sentinels(Moment) override { return watchers; }
    Result<void> pause_writes(const std::string&, Span, Moment) override { return {}; }
    Result<void> resume_writes(const std::string&, Moment) override { return {}; }
    Result<void> fail_over(const std::string&, Moment) override {
        ++asked;
        return {};
    }
    Result<std::optional<Span>> since_heard(const std::string&, Moment) override { return heard; }
    Result<void> follow(const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> write_canary(const std::string&, const std::string&, Moment) override { return {}; }
};

class RedisActions : public testing::Test {
protected:
    RedisActions() {
        auto cache = std::make_unique<GivenCache>();
        cache_ = cache.get();
        targets_.caches["redis"] = std::move(cache);
        cache_->nodes["east"] = {.reachable = Truth::yes, .master = Truth::yes};
        cache_->nodes["west"] = {.reachable = Truth::yes, .master = Truth::no, .link_up = Truth::yes};
        for (const char* name : {"a", "b", "c"})
            cache_->watchers.push_back(
                {.name = name, .reachable = Truth::yes, .master = "east", .quorum = Truth::yes, .calm = Truth::yes});
    }

    Call call(Json with = Json::object()) const {
        return Call{.targets = targets_,
                    .target = "redis",
                    .region = "west",
                    .regions = {"east", "west"},
                    .with = std::move(with),
                    .key = "r-1/step"};
    }
    Look look(const char* action, Json with = Json::object()) const {
        return find_action(action)->look(call(std::move(with))).value();
    }

    Targets targets_;
    GivenCache* cache_ = nullptr;
};

TEST_F(RedisActions, AFailoverThatSentinelsBeganIsAwaitedAndNotAskedForAgain) {
    cache_->nodes["east"] = {.reachable = Truth::unknown};
    cache_->watchers[1].calm = Truth::no;  // one of them fails over
    const Look under_way = look("redis.fail-over");
    EXPECT_EQ(under_way.done, Truth::unknown);
    EXPECT_NE(under_way.allowed, Truth::yes) << "a second order would be refused, and would use up an attempt";

    cache_->nodes["west"] = {.reachable = Truth::yes, .master = Truth::yes};
    EXPECT_NE(look("redis.fail-over").done, Truth::yes) << "no Sentinel says so yet: clients do not find it";
    for (SentinelLook& watcher : cache_->watchers)
        watcher = {
            .name = watcher.name, .reachable = Truth::yes, .master = "west", .quorum = Truth::yes, .calm = Truth::yes};
    EXPECT_EQ(look("redis.fail-over").done, Truth::yes);
    EXPECT_EQ(cache_->asked, 0);
}

TEST_F(RedisActions, AFailoverIsAskedForWhenNobodyIsAtIt) {
    const Look first = look("redis.fail-over");
    EXPECT_EQ(first.done, Truth::no);
    EXPECT_EQ(first.allowed, Truth::yes);
    ASSERT_TRUE(find_action("redis.fail-over")->apply(call()));
    EXPECT_EQ(cache_->asked, 1);
    for (SentinelLook& watcher : cache_->watchers) watcher.quorum = Truth::no;
    EXPECT_EQ(look("redis.fail-over").allowed, Truth::no);
}

TEST_F(RedisActions, TheMomentAfterTheSentinelHasHeardIsWaitedFor) {
    const Json with = {{"master", "east"}, {"within", "250ms"}};
    EXPECT_EQ(look("redis.heard", with).done, Truth::unknown) << "it does not say";
    cache_->heard = 4s;
    const Look early = look("redis.heard", with);
    EXPECT_EQ(early.done, Truth::no);
    EXPECT_EQ(early.again_after, 6s) << "it hears every ten seconds";
    cache_->heard = 11s;
    EXPECT_EQ(look("redis.heard", with).again_after, 20ms) << "late: it is looked for at once";
    cache_->heard = 100ms;
    EXPECT_EQ(look("redis.heard", with).done, Truth::yes);
    cache_->nodes["east"].master = Truth::no;
    EXPECT_EQ(look("redis.heard", with).done, Truth::unknown);
}

}  // namespace
}  // namespace kedge
