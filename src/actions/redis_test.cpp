// What the Redis actions make of what nodes and Sentinels say.
#include <gtest/gtest.h>

#include "actions/action.h"
#include "actions/given_recoveries.h"

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
    Result<CacheLook> look_beside(const std::string&, Moment) override { return beside; }
    Result<void> take_over(const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> lead(const std::string&, Moment) override { return {}; }
    Result<void> set_down_after(const std::map<std::string, Span>& spans, Moment) override {
        for (SentinelLook& watcher : watchers)
            if (spans.contains(watcher.name)) watcher.down_after = spans.at(watcher.name);
        return {};
    }
    Result<void> persist(const std::string&, Moment) override { return {}; }

    CacheLook beside;  // the recovered copy
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

TEST_F(RedisActions, AReplicaThatBecameMasterIsNotAwaitedAsOne) {
    cache_->nodes["east"].offset = 100;
    cache_->nodes["west"].offset = 90;
    const Json of_east{{"master", "east"}};
    EXPECT_EQ(look("redis.caught-up", of_east).done, Truth::no);
    EXPECT_FALSE(look("redis.caught-up", of_east).gave_up) << "it may come";
    cache_->nodes["west"].offset = 100;
    EXPECT_EQ(look("redis.caught-up", of_east).done, Truth::yes);

    cache_->nodes["east"].master = Truth::unknown;
    EXPECT_EQ(look("redis.caught-up", of_east).done, Truth::unknown);
    cache_->nodes["west"].master = Truth::yes;
    EXPECT_FALSE(look("redis.caught-up", of_east).gave_up) << "nobody knows what east is";
    cache_->nodes["east"].master = Truth::no;
    EXPECT_EQ(look("redis.caught-up", of_east).done, Truth::no);
    EXPECT_TRUE(look("redis.caught-up", of_east).gave_up);
}

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

class RedisRecoveryActions : public RedisActions {
protected:
    RedisRecoveryActions() {
        auto recoveries = std::make_unique<GivenRecoveries>();
        recovery_ = &recoveries->recovery;
        targets_.recoveries = std::move(recoveries);
        *recovery_ = {.exists = true,
                      .stands = Truth::yes,
                      .usable = Truth::yes,
                      .address = "here:1",
                      .proof = {{"kept", {{"keys", 1}, {"replication_id", "a"}, {"replication_offset", 100}}}}};
        cache_->beside = {.reachable = Truth::yes, .master = Truth::yes, .offset = 7, .replication_id = "b", .keys = 5};
        cache_->nodes["west"] = {
            .reachable = Truth::yes, .master = Truth::yes, .offset = 130, .replication_id = "a", .keys = 1};
        for (SentinelLook& watcher : cache_->watchers) {
            watcher.master = "west";
            watcher.down_after = 4s;
            watcher.votes = 2;
        }
    }
    Look named(const char* action) const { return look(action, {{"name", "copy"}}); }

    RecoveryLook* recovery_ = nullptr;
};

TEST_F(RedisRecoveryActions, NothingIsReplacedBeforeItWasKeptOrByWhatMayNotBeUsed) {
    const Look ready = named("redis.take-over");
    EXPECT_EQ(ready.done, Truth::no);
    EXPECT_EQ(ready.allowed, Truth::yes) << ready.says;
    EXPECT_EQ(get_integer(ready.evidence, "written_after_it_was_kept_bytes"), 30);
    recovery_->usable = Truth::no;
    EXPECT_EQ(named("redis.take-over").allowed, Truth::no);
    recovery_->usable = Truth::yes;
    cache_->beside = {.reachable = Truth::unknown};
    EXPECT_EQ(named("redis.take-over").allowed, Truth::unknown) << "the copy is silent";
    cache_->beside = {.reachable = Truth::yes, .master = Truth::yes};
    recovery_->proof = Json::object();
    EXPECT_EQ(named("redis.take-over").allowed, Truth::no) << "nothing was kept";
    recovery_->address.clear();
    EXPECT_EQ(named("redis.take-over").done, Truth::unknown) << "its gate is shut";
}

TEST_F(RedisRecoveryActions, OnlyTheMasterThatSentinelsNameIsReplacedAndIsWhatItWasWhenItWasKept) {
    EXPECT_EQ(named("redis.take-over").allowed, Truth::yes);
    cache_->watchers[2].master = "east";
    const Look other = named("redis.take-over");
    EXPECT_EQ(other.allowed, Truth::no);
    EXPECT_EQ(other.says, "Sentinel c names the node in east master");
    for (SentinelLook& watcher : cache_->watchers) watcher.master.reset();
    EXPECT_EQ(named("redis.take-over").allowed, Truth::no) << "nobody says anything";
    for (SentinelLook& watcher : cache_->watchers) watcher.master = "west";
    cache_->nodes["west"].replication_id = "since";
    EXPECT_EQ(named("redis.take-over").allowed, Truth::no) << "what it took since is not kept";
}

TEST_F(RedisRecoveryActions, ANodeLeadsOnlyWithAllThatItCopied) {
    CacheLook& node = cache_->nodes["west"];
    node = {
        .reachable = Truth::yes, .master = Truth::no, .link_up = Truth::no, .follows = "here:1", .replication_id = "b"};
    EXPECT_EQ(look("redis.lead").allowed, Truth::no);
    node.link_up = Truth::yes;
    EXPECT_EQ(look("redis.lead").allowed, Truth::yes);
    node.link_up = Truth::no;
    Call after = call();
    after.facts.push_back(
        {.action = "redis.loaded", .region = "west", .succeeded = true, .evidence = Json{{"replication_id", "b"}}});
    const Action* action = find_action("redis.lead");
    EXPECT_EQ(action->look(after)->allowed, Truth::yes) << "the copy may be gone by now";
    node.replication_id = "a";
    EXPECT_EQ(action->look(after)->allowed, Truth::no) << "it holds what it was to replace";
    node.follows = "east";
    node.link_up = Truth::yes;
    EXPECT_EQ(action->look(after)->allowed, Truth::no);
}

TEST_F(RedisRecoveryActions, ANodeHasLoadedAllWhenItHoldsAsManyKeysAtTheSameOffset) {
    CacheLook& node = cache_->nodes["west"];
    node = {.reachable = Truth::yes,
            .master = Truth::no,
            .link_up = Truth::yes,
            .follows = "here:1",
            .offset = 7,
            .replication_id = "b",
            .keys = 5};
    EXPECT_EQ(named("redis.loaded").done, Truth::yes);
    node.keys = 4;
    EXPECT_EQ(named("redis.loaded").done, Truth::no);
    node.keys = 5;
    node.offset = 6;
    EXPECT_EQ(named("redis.loaded").done, Truth::no);
    node.link_up = Truth::no;
    EXPECT_EQ(named("redis.loaded").done, Truth::no);
    EXPECT_FALSE(named("redis.loaded").gave_up);
    node.follows = "east";
    EXPECT_TRUE(named("redis.loaded").gave_up) << "it copies something else";
    node = {.reachable = Truth::unknown};
    EXPECT_EQ(named("redis.loaded").done, Truth::unknown);
}

TEST_F(RedisRecoveryActions, SentinelsAreHeldIfThoseThatAreNotCouldNotAgreeAndWatchAsBeforeAfterwards) {
    const Json with{{"for", "1h"}};
    const Look before = look("redis.hold-sentinels", with);
    EXPECT_EQ(before.allowed, Truth::yes);
    EXPECT_EQ(get(before.evidence, "before").dump(), R"({"a":4.0,"b":4.0,"c":4.0})");
    cache_->watchers[2] = {.name = "c", .reachable = Truth::unknown};
    EXPECT_EQ(look("redis.hold-sentinels", with).allowed, Truth::yes) << "one alone cannot fail over";
    Call hold = call(with);
    hold.evidence = Json{{"before", {{"a", 4.0}}}};
    ASSERT_TRUE(find_action("redis.hold-sentinels")->apply(hold));
    EXPECT_EQ(cache_->watchers[1].down_after, 4s) << "nobody had noted how long that one waited";
    hold.evidence = before.evidence;
    ASSERT_TRUE(find_action("redis.hold-sentinels")->apply(hold));
    EXPECT_EQ(look("redis.hold-sentinels", with).done, Truth::yes);
    cache_->watchers[1] = {.name = "b", .reachable = Truth::unknown};
    Call known = call(with);
    known.evidence = Json{{"before", {{"a", 2.0}}}};
    const Look again = *find_action("redis.hold-sentinels")->look(known);
    EXPECT_EQ(get_number(get(again.evidence, "before"), "a"), 2.0) << "what was noted first stays";
    const Look two_silent = look("redis.hold-sentinels", with);
    EXPECT_NE(two_silent.done, Truth::yes);
    EXPECT_NE(two_silent.allowed, Truth::yes);

    Call release = call();
    release.facts.push_back(
        {.action = "redis.hold-sentinels", .succeeded = true, .evidence = Json{{"before", {{"a", 4.0}}}}});
    const Action* action = find_action("redis.release-sentinels");
    EXPECT_EQ(action->look(release)->done, Truth::no);
    ASSERT_TRUE(action->apply(release));
    EXPECT_EQ(action->look(release)->done, Truth::yes);
    EXPECT_EQ(cache_->watchers[0].down_after, 4s);
    EXPECT_EQ(action->look(call())->done, Truth::unknown) << "nobody noted what it was";
}

TEST_F(RedisRecoveryActions, AllIsOnDiskOnlyAfterASaveThatWasAskedForHasEnded) {
    CacheLook& node = cache_->nodes["west"];
    node = {.reachable = Truth::yes, .append_only = Truth::yes, .saving = Truth::no, .saved = Truth::yes};
    EXPECT_EQ(look("redis.persist").allowed, Truth::yes) << "that one was before";
    Call asked = call();
    asked.accepted = true;
    const Action* action = find_action("redis.persist");
    EXPECT_EQ(action->look(asked)->done, Truth::yes);
    node.saving = Truth::yes;
    EXPECT_EQ(action->look(asked)->done, Truth::no);
    node.saving = Truth::no;
    node.saved = Truth::no;
    EXPECT_EQ(action->look(asked)->done, Truth::no);
    node.append_only = Truth::unknown;
    EXPECT_EQ(action->look(asked)->done, Truth::unknown);
}

}  // namespace
}  // namespace kedge
