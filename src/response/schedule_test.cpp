#include "response/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Moment at(std::string_view text) {
    return parse_moment(text).value();
}

TEST(Occasion, IsTheLastAndTheNextOfItsKind) {
    const Occasion daily = parse_occasion("06:00").value(), weekly = parse_occasion("Sun 04:00").value();
    struct Case {
        std::string now, last_daily, next_daily, last_weekly, next_weekly;
    };
    for (const Case& one : {// 2026-11-22 is a Sunday
                            Case{"2026-11-25T05:59:59Z", "2026-11-24T06:00:00Z", "2026-11-25T06:00:00Z",
                                 "2026-11-22T04:00:00Z", "2026-11-29T04:00:00Z"},
                            Case{"2026-11-25T06:00:00Z", "2026-11-25T06:00:00Z", "2026-11-26T06:00:00Z",
                                 "2026-11-22T04:00:00Z", "2026-11-29T04:00:00Z"},
                            Case{"2026-11-22T03:59:59Z", "2026-11-21T06:00:00Z", "2026-11-22T06:00:00Z",
                                 "2026-11-15T04:00:00Z", "2026-11-22T04:00:00Z"},
                            Case{"2026-11-22T04:00:00Z", "2026-11-21T06:00:00Z", "2026-11-22T06:00:00Z",
                                 "2026-11-22T04:00:00Z", "2026-11-29T04:00:00Z"},
                            Case{"2027-01-01T00:30:00Z", "2026-12-31T06:00:00Z", "2027-01-01T06:00:00Z",
                                 "2026-12-27T04:00:00Z", "2027-01-03T04:00:00Z"}}) {
        EXPECT_EQ(daily.last(at(one.now)), at(one.last_daily)) << one.now;
        EXPECT_EQ(daily.next(at(one.now)), at(one.next_daily)) << one.now;
        EXPECT_EQ(weekly.last(at(one.now)), at(one.last_weekly)) << one.now;
        EXPECT_EQ(weekly.next(at(one.now)), at(one.next_weekly)) << one.now;
    }
}

TEST(Occasion, IsWrittenAsItIsRead) {
    for (const char* text : {"06:00", "00:00", "23:59", "Sun 04:00", "Sat 12:30"})
        EXPECT_EQ(to_string(parse_occasion(text).value()), text);
    EXPECT_EQ(on_calendar(parse_occasion("Sun 04:00").value()), "Sun *-*-* 04:00:00 UTC");
    EXPECT_EQ(on_calendar(parse_occasion("06:05").value()), "*-*-* 06:05:00 UTC");
    for (const char* text : {"", "6:00", "24:00", "06:60", "06:00:00", "sun 04:00", "Sun", "Sun  04:00", "0a:00"})
        EXPECT_EQ(parse_occasion(text).error().fault, Fault::invalid_input) << text;
}

class Stands : public testing::Test {
protected:
    const Schedule daily_{.plan = "daily-verification",
                          .at = parse_occasion("06:00").value(),
                          .spread = 10min,
                          .limit = 2h,
                          .since = at("2026-11-20T12:00:00Z")};
    static ScheduledRun run(std::string_view started, std::optional<std::string_view> ended, bool succeeded) {
        return {"r-" + std::string(started.substr(8, 2)), at(started), ended ? std::optional(at(*ended)) : std::nullopt,
                succeeded, succeeded ? "" : "dump is damaged"};
    }
    ScheduleLook look(std::string_view now, const std::vector<ScheduledRun>& runs) const {
        return look_at_schedule(daily_, runs, at(now));
    }
    const ScheduledRun yesterday_ = run("2026-11-24T06:03:00Z", "2026-11-24T06:30:00Z", true);
};

TEST_F(Stands, WaitingUntilItIsDueForTheFirstTime) {
    EXPECT_EQ(look("2026-11-21T05:59:00Z", {}).standing, DueState::waiting);
    EXPECT_EQ(look("2026-11-21T06:01:00Z", {}).standing, DueState::due);
}

TEST_F(Stands, ByWhatWasStartedByHandBeforeItWasDue) {
    const auto failed = run("2026-11-20T13:00:00Z", "2026-11-20T13:10:00Z", false);
    EXPECT_EQ(look("2026-11-20T14:00:00Z", {failed}).standing, DueState::failed);
    EXPECT_EQ(look("2026-11-20T14:00:00Z", {}).standing, DueState::waiting);
}

TEST_F(Stands, DueWhileItMayStillSucceed) {
    EXPECT_EQ(look("2026-11-25T06:05:00Z", {yesterday_}).standing, DueState::due);
    const auto going = look("2026-11-25T07:00:00Z", {yesterday_, run("2026-11-25T06:03:00Z", {}, false)});
    EXPECT_EQ(going.standing, DueState::due);
    EXPECT_EQ(going.says, "run r-25 goes on");
}

TEST_F(Stands, DoneOnceARunSinceThenSucceeded) {
    const auto done = look("2026-11-25T05:00:00Z", {yesterday_});
    EXPECT_EQ(done.standing, DueState::done);
    EXPECT_EQ(done.next_due, at("2026-11-25T06:00:00Z"));
    const auto at_last = look("2026-11-25T12:00:00Z", {run("2026-11-25T06:00:00Z", "2026-11-25T06:01:00Z", false),
                                                       run("2026-11-25T11:00:00Z", "2026-11-25T11:30:00Z", true)});
    EXPECT_EQ(at_last.standing, DueState::done);
}

TEST_F(Stands, FailedWithWhatWasFound) {
    const auto failed =
        look("2026-11-25T06:30:00Z", {yesterday_, run("2026-11-25T06:03:00Z", "2026-11-25T06:20:00Z", false)});
    EXPECT_EQ(failed.standing, DueState::failed);
    EXPECT_EQ(failed.says, "run r-25: dump is damaged");
    const auto since = look("2026-11-25T12:00:00Z", {run("2026-11-25T06:00:00Z", "2026-11-25T06:01:00Z", true),
                                                     run("2026-11-25T11:00:00Z", "2026-11-25T11:30:00Z", false)});
    EXPECT_EQ(since.standing, DueState::failed) << "the newest answer counts";
}

TEST_F(Stands, OverdueWhenNothingRanOrNothingEnds) {
    const auto overdue = look("2026-11-25T08:10:01Z", {yesterday_});
    EXPECT_EQ(overdue.standing, DueState::overdue);
    EXPECT_THAT(overdue.says, HasSubstr("did not run; it last succeeded at 2026-11-24T06:30:00"));
    EXPECT_EQ(look("2026-11-25T08:10:00Z", {yesterday_}).standing, DueState::due);
    EXPECT_EQ(look("2026-11-25T08:10:01Z", {run("2026-11-25T06:03:00Z", {}, false)}).standing, DueState::overdue);
    EXPECT_THAT(look("2026-11-25T08:10:01Z", {}).says, HasSubstr("it has never succeeded"));
}

}  // namespace
}  // namespace kedge
