// What is made of a drill's figures: the verdict, the metrics, the report.
#include "response/drill_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

Moment at(Span span) {
    return Moment{} + 24h * 20'000 + span;
}

StoreOutcome store(Loss loss, Span announced = 5s) {
    return {.name = "postgres",
            .tier = "critical",
            .rpo_objective = 5min,
            .outage = Outage{.first_failed = at(0s), .over = at(2s), .failed = 3},
            .loss = std::move(loss),
            .announced = announced,
            .announced_by = "step loss"};
}

Loss nothing_lost() {
    return {.acknowledged = 1000, .rpo = Span{0}};
}
Loss lost(Span rpo, std::int64_t after_fault = 0) {
    return {
        .acknowledged = 1000, .missing = {{11, 20}}, .rows = 10, .acknowledged_after_fault = after_fault, .rpo = rpo};
}

// A drill in which all went well.
DrillRecord sound(Loss loss = nothing_lost(), Span announced = 5s) {
    DrillRecord record;
    record.id = "d-1";
    record.type = "Regional Failover";
    record.plan = "regional-failover";
    record.began = at(-10s);
    record.ended = at(1min);
    record.rto_objective = 1h;
    record.rpo_objective = 5min;
    record.fault_at = at(0s);
    record.declared_at = at(1s);
    record.verified_at = at(10s);
    record.stores = {store(std::move(loss), announced)};
    record.services = {{"core-api", "critical", 1h, 2s, ""}};
    record.finished = true;
    return record;
}

TEST(DrillResults, PassOnlyWhenAllWasMeasuredAndMet) {
    EXPECT_EQ(judge(sound()), DrillResult::pass);
    DrillRecord unread = sound();
    unread.stores[0].loss.reset();
    EXPECT_EQ(judge(unread), DrillResult::partial) << "what was not read back is not known to be there";
    DrillRecord unmeasured = sound();
    unmeasured.services[0].rto.reset();
    EXPECT_EQ(judge(unmeasured), DrillResult::partial);
    DrillRecord troubled = sound();
    troubled.issues = {"the entrance did not answer"};
    EXPECT_EQ(judge(troubled), DrillResult::partial);
}

TEST(DrillResults, FailOnAMissedObjective) {
    DrillRecord slow = sound();
    slow.verified_at = at(2h);
    EXPECT_EQ(judge(slow), DrillResult::fail);
    DrillRecord late = sound();
    late.services[0].rto = 2h;
    EXPECT_EQ(judge(late), DrillResult::fail);
    EXPECT_EQ(judge(sound(lost(6min), 10min)), DrillResult::fail) << "announced, but beyond the objective";
    DrillRecord unfinished = sound();
    unfinished.finished = false;
    unfinished.verified_at.reset();
    EXPECT_EQ(judge(unfinished), DrillResult::fail);
}

TEST(DrillResults, FailOnALossThatWasNotAnnounced) {
    EXPECT_EQ(judge(sound(lost(4s), 5s)), DrillResult::pass);
    EXPECT_EQ(judge(sound(lost(6s), 5s)), DrillResult::fail);
    EXPECT_EQ(judge(sound(lost(1ms), 0s)), DrillResult::fail);
    Loss unknown = lost(4s);
    unknown.rpo.reset();
    EXPECT_EQ(judge(sound(unknown)), DrillResult::fail) << "nobody knows how far back it reaches";
}

// A region that is cut off goes on to acknowledge: that belongs to the span of the loss, and is said.
TEST(DrillResults, CountWhatASideThatWasCutOffAcknowledged) {
    EXPECT_EQ(judge(sound(lost(4s, 7), 5s)), DrillResult::pass);
    EXPECT_EQ(judge(sound(lost(6s, 7), 5s)), DrillResult::fail);
    const std::string report = to_markdown(sound(lost(4s, 7), 5s));
    EXPECT_THAT(report, HasSubstr("10 (11-20; 7 acknowledged after the fault by the side cut off) of 1000"));
    EXPECT_THAT(report, HasSubstr("0 of 1000 acknowledged writes lost without having been announced as at risk; "
                                  "10 lost that were"));
    EXPECT_THAT(to_markdown(sound()), Not(HasSubstr("lost that were")));
}

TEST(DrillResults, AreIntegrityOnlyWhenEveryStoreWasReadBack) {
    DrillRecord record = sound(lost(6s), 5s);
    record.stores.push_back(store(lost(4s)));
    const auto all = integrity(record);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->acknowledged, 2000);
    EXPECT_EQ(all->announced, 10);
    EXPECT_EQ(all->unannounced, 10);
    record.stores[1].loss.reset();
    EXPECT_FALSE(integrity(record));
    record.stores.clear();
    EXPECT_FALSE(integrity(record));
}

TEST(DrillActions, AreMadeOfEachGap) {
    EXPECT_TRUE(action_items(sound()).empty());
    DrillRecord record = sound();
    record.verified_at = at(2h);
    record.issues = {"the entrance did not answer"};
    record.before = {{"Backups verified", Check::open, ""}};
    const auto items = action_items(record);
    ASSERT_EQ(items.size(), 4u);
    EXPECT_THAT(items[0].action, HasSubstr("RTO (from the fault) was 2h00m, the target is < 1h00m"));
    EXPECT_THAT(items[2].action, HasSubstr("the entrance did not answer"));
    EXPECT_EQ(items[3].action, "Confirm: Backups verified");
}

}  // namespace
}  // namespace kedge
