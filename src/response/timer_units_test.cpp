// What is written for systemd, read back and shown to systemd itself where there is one.
#include "response/timer_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "os/process.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

ScheduledPlan weekly() {
    return {.schedule = {.plan = "weekly-verification",
                         .at = parse_occasion("Sun 04:00").value(),
                         .spread = 10min,
                         .limit = 4h,
                         .since = parse_moment("2026-11-25T12:00:00Z").value()},
            .alert = {"pager", "chat"},
            .command = {"/bin/true", "--input", "says=100% \"sure\" of $HOME \\ and back"}};
}

TEST(TimerUnits, AreReadBackAsTheyWereWritten) {
    const UnitFiles units = units_of(weekly());
    const auto read = read_units(units.at("kedge-plan-weekly-verification.service"));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->schedule.plan, "weekly-verification");
    EXPECT_EQ(to_string(read->schedule.at), "Sun 04:00");
    EXPECT_EQ(read->schedule.spread, 10min);
    EXPECT_EQ(read->schedule.limit, 4h);
    EXPECT_EQ(read->schedule.since, weekly().schedule.since);
    EXPECT_EQ(read->alert, weekly().alert);
}

TEST(TimerUnits, BeginAtTheirTimeAndNotAllAtOnce) {
    const std::string timer = units_of(weekly()).at("kedge-plan-weekly-verification.timer");
    EXPECT_THAT(timer, HasSubstr("OnCalendar=Sun *-*-* 04:00:00 UTC\n"));
    EXPECT_THAT(timer, HasSubstr("RandomizedDelaySec=600s\n"));
    EXPECT_THAT(timer, HasSubstr("Persistent=true\n"));
}

TEST(TimerUnits, TakeEveryWordLiterally) {
    const std::string service = units_of(weekly()).at("kedge-plan-weekly-verification.service");
    EXPECT_THAT(service, HasSubstr(R"(ExecStart="/bin/true" "--input" "says=100%% \"sure\" of $$HOME \\ and back")"));
}

TEST(TimerUnits, KnowTheirOwn) {
    for (const auto& [name, content] : units_of(weekly())) EXPECT_TRUE(is_ours(content)) << name;
    for (const auto& [name, content] : units_of_overdue({"/bin/true"})) EXPECT_TRUE(is_ours(content)) << name;
    EXPECT_FALSE(is_ours("[Unit]\nDescription=somebody else's\n"));
    EXPECT_FALSE(is_ours(""));
}

TEST(TimerUnits, SaySoWhenTheyWereChangedByHand) {
    std::string service = units_of(weekly()).at("kedge-plan-weekly-verification.service");
    service.replace(service.find("At=Sun"), 6, "At=Son");
    EXPECT_FALSE(read_units(service));
    EXPECT_EQ(read_units("[Service]\nPlan=x\n").error().fault, Fault::corrupt);
}

class SystemdAnalyze : public testing::Test {
protected:
    void SetUp() override {
        if (!find_program("systemd-analyze")) GTEST_SKIP() << "there is no systemd-analyze here";
        std::filesystem::create_directories(directory_);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string write(const std::string& name, const std::string& content) const {
        std::ofstream(directory_ + "/" + name) << content;
        return directory_ + "/" + name;
    }
    const std::string directory_ = testing::TempDir() + "kedge-units-" + std::to_string(getpid());
};

TEST_F(SystemdAnalyze, TakesTheUnits) {
    Arguments arguments{"systemd-analyze", "verify", "--man=no"};
    for (const UnitFiles& units : {units_of(weekly()), units_of_overdue({"/bin/true"})})
        for (const auto& [name, content] : units) arguments.push_back(write(name, content));
    const auto verified = run(arguments, within(60s));
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_TRUE(verified->exit.ok()) << verified->err;
    EXPECT_THAT(verified->err, testing::Not(HasSubstr("kedge-"))) << "it has something to say about ours";
}

TEST_F(SystemdAnalyze, AgreesWhenThatIs) {
    const auto known =
        run({"systemd-analyze", "calendar", "--base-time=2026-11-25 12:00:00 UTC", on_calendar(weekly().schedule.at)},
            within(60s));
    ASSERT_TRUE(known) << known.error().message;
    EXPECT_TRUE(known->exit.ok()) << known->err;
    EXPECT_THAT(known->out, HasSubstr("Sun 2026-11-29 04:00:00 UTC"));
    EXPECT_EQ(to_string(weekly().schedule.at.next(weekly().schedule.since)), "2026-11-29T04:00:00.000Z");
}

}  // namespace
}  // namespace kedge
