#include "response/alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

// Keeps what it is sent; may be out of order.
class Board final : public Channel {
public:
    Result<Receipt> send(const Notice& notice, Moment) override {
        if (is_down) return Error{Fault::unavailable, "nobody answers"};
        notices.push_back(notice);
        return Receipt{Truth::yes, "posted", 1};
    }
    Result<Truth> delivered(const std::string&, Moment) override { return Truth::unknown; }

    bool is_down = false;
    std::vector<Notice> notices;
};

class Alarm : public testing::Test {
protected:
    Alarm() {
        for (const char* name : {"pager", "chat"}) targets_.channels[name] = std::make_unique<Board>();
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    Board& board(const std::string& name) { return dynamic_cast<Board&>(*targets_.channels.at(name)); }
    // A new object each time, as each process has one.
    std::vector<Delivery> tell(const ScheduleLook& look, const std::vector<std::string>& channels = {"pager", "chat"}) {
        return Alarms(file_).tell("office", daily_, look, channels, targets_, now_).value();
    }
    ScheduleLook failed(const std::string& run) const {
        return {.standing = DueState::failed,
                .last_due = now_ - 1h,
                .newest = ScheduledRun{.id = run, .started = now_ - 1h, .ended = now_, .says = "dump is damaged"},
                .says = "run " + run + ": dump is damaged"};
    }
    ScheduleLook standing(DueState standing) const {
        return {.standing = standing, .last_due = now_ - 5h, .says = "was due and did not run"};
    }

    const Moment now_ = parse_moment("2026-11-25T12:00:00Z").value();
    const Schedule daily_{.plan = "daily-verification", .at = parse_occasion("06:00").value()};
    const std::string directory_ = testing::TempDir() + "kedge-alarms-" + std::to_string(getpid());
    const std::string file_ = directory_ + "/schedule/alarms.jsonl";
    Targets targets_;
};

TEST_F(Alarm, IsRaisedOnceForEachFailure) {
    EXPECT_EQ(tell(failed("r-1")).size(), 2u);
    EXPECT_THAT(tell(failed("r-1")), IsEmpty());
    EXPECT_EQ(tell(failed("r-2")).size(), 2u);
    ASSERT_EQ(board("chat").notices.size(), 2u);
    const Notice& notice = board("chat").notices[0];
    EXPECT_EQ(notice.severity, "critical");
    EXPECT_EQ(notice.title, "office: daily-verification failed");
    EXPECT_EQ(notice.text, "run r-1: dump is damaged\nLook: kedge run show r-1");
    EXPECT_EQ(notice.about, board("chat").notices[1].about);
    EXPECT_NE(notice.key, board("chat").notices[1].key);
}

TEST_F(Alarm, IsRaisedWhenAPlanDidNotRun) {
    EXPECT_EQ(tell(standing(DueState::overdue)).size(), 2u);
    EXPECT_THAT(tell(standing(DueState::overdue)), IsEmpty());
    EXPECT_EQ(board("pager").notices.at(0).title, "office: daily-verification did not run in time");
}

TEST_F(Alarm, IsClosedOnceAndOnlyWhereItWasRaised) {
    EXPECT_THAT(tell(standing(DueState::done)), IsEmpty());
    (void)tell(failed("r-1"), {"pager"});
    EXPECT_EQ(tell(standing(DueState::done)).size(), 1u);
    EXPECT_TRUE(board("pager").notices.at(1).is_over);
    EXPECT_EQ(board("pager").notices.at(1).about, board("pager").notices.at(0).about);
    EXPECT_THAT(board("chat").notices, IsEmpty());
    EXPECT_THAT(tell(standing(DueState::done)), IsEmpty());
    EXPECT_EQ(tell(failed("r-3"), {"pager"}).size(), 1u);
}

TEST_F(Alarm, SaysNothingWhileAPlanMayStillSucceed) {
    EXPECT_THAT(tell(standing(DueState::due)), IsEmpty());
    EXPECT_THAT(tell(standing(DueState::waiting)), IsEmpty());
}

TEST_F(Alarm, ReachesTheOthersWhenOneChannelIsDownAndThatOneLater) {
    board("pager").is_down = true;
    const auto first = tell(failed("r-1"));
    ASSERT_EQ(first.size(), 2u);
    EXPECT_FALSE(first[0].handed_over);
    EXPECT_EQ(first[0].says, "nobody answers");
    EXPECT_TRUE(first[1].handed_over);
    board("pager").is_down = false;
    const auto second = tell(failed("r-1"));
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].channel, "pager");
    EXPECT_TRUE(second[0].handed_over);
}

TEST_F(Alarm, NamesAChannelThatIsNoLongerThere) {
    const auto deliveries = tell(failed("r-1"), {"gone", "chat"});
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_EQ(deliveries[0].says, "the estate has no such channel");
    EXPECT_TRUE(deliveries[1].handed_over);
}

TEST_F(Alarm, KeepsWhatBecameOfEachNotice) {
    (void)tell(failed("r-1"), {"chat"});
    const auto lines = Alarms(file_).newest("daily-verification").value();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(get_string(lines[0], "delivery"), "posted");
    EXPECT_EQ(get_string(lines[0], "delivered"), "yes");
    EXPECT_EQ(get_bool(lines[0], "over"), false);
    EXPECT_THAT(Alarms(file_).newest("another").value(), IsEmpty());
}

}  // namespace
}  // namespace kedge
