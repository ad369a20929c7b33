// What a window answers for, in archives that are made up of one transaction to a segment and a minute.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "verify/wal/window.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using Kind = RecoveryTarget::Kind;

constexpr std::uint64_t segment_bytes = 1u << 20;

Lsn begin_of(std::uint64_t number) {
    return Lsn{number * segment_bytes};
}
Lsn behind(Lsn position, std::uint64_t bytes) {
    return Lsn{position.value + bytes};
}

// Of the transaction of that segment.
Moment time_of(std::uint64_t number) {
    return Moment(1h * 24 * 365 * 55) + static_cast<int>(number) * 1min;
}

WalSegment segment(std::uint64_t number) {
    const Lsn begin = begin_of(number);
    WalSegment segment{.path = segment_name(1, begin, segment_bytes), .timeline = 1, .number = number};
    segment.scan.end = behind(begin, segment_bytes);
    segment.scan.transactions.add({.at = behind(begin, 0x1000), .time = time_of(number), .committed = true});
    segment.seam.last_record = behind(begin, 0x1000);
    return segment;
}

// Segments 1 to 20 of timeline 1 without those that are missing.
WalArchive archive_without(const std::set<std::uint64_t>& missing) {
    WalArchive archive;
    archive.segment_bytes = segment_bytes;
    archive.histories[1] = {{.timeline = 1}};
    for (std::uint64_t number = 1; number <= 20; ++number) {
        if (missing.contains(number)) continue;
        WalSegment next = segment(number);
        if (!archive.segments.empty()) {
            next.seam.kind = missing.contains(number - 1) ? Seam::Kind::gap : Seam::Kind::sound;
            next.seam.before = archive.segments.size() - 1;
        }
        archive.segments.push_back(std::move(next));
    }
    return archive;
}

Moment taken_at(std::uint64_t number) {
    return time_of(number) - 30s + 1us;
}

// The first whole millisecond to which that backup can be recovered.
Moment first_from(std::uint64_t number) {
    return std::chrono::ceil<std::chrono::milliseconds>(taken_at(number));
}

// A backup that began with that segment and was consistent before the segment's transaction.
RecoveryBase base(const std::string& name, std::uint64_t number) {
    return {.name = name,
            .start = begin_of(number),
            .timeline = 1,
            .consistent_at = behind(begin_of(number), 0x100),
            .taken = taken_at(number)};
}

class OwnTransactions final : public TransactionSource {
public:
    Result<void> visit(const WalSegment& segment, const Visit& visit) const override {
        visit(*segment.scan.transactions.last);
        return {};
    }
};

// Three base backups; the newest lies behind what may be missing.
struct LogWithout {
    explicit LogWithout(const std::set<std::uint64_t>& missing) : archive(archive_without(missing)) {}

    Recovery ask(const RecoveryTarget& target, const std::set<std::string>& passed_over = {}) const {
        const Window window =
            recovery_window(archive, {base("oldest", 2), base("older", 5), base("newest", 13)}, transactions).value();
        return recovery_to(archive, window, target, time_of(60), transactions, {},
                           [&](const RecoveryBase& base) { return !passed_over.contains(base.name); })
            .value();
    }

    WalArchive archive;
    OwnTransactions transactions;
};

constexpr const char* missing_segment = "00000001000000000000000B";

TEST(Window, OfAWholeLogReachesItsEnd) {
    const Recovery latest = LogWithout({}).ask({});
    EXPECT_TRUE(latest.possible) << latest.says;
    EXPECT_TRUE(latest.to_the_end);
    EXPECT_EQ(latest.last->time, time_of(20));
    EXPECT_TRUE(LogWithout({}).ask({}, {"newest"}).possible) << "an older backup reaches it as well";
    EXPECT_TRUE(LogWithout({11}).ask({}).possible) << "the gap lies before the newest backup";
}

// The base backup behind the gap is damaged: nobody may be told of positions that only it would have reached.
TEST(Window, LatestBehindAGapIsRefusedWithWhatIsMissingAndTheNearestMoment) {
    const Recovery latest = LogWithout({11}).ask({}, {"newest"});
    EXPECT_FALSE(latest.possible);
    EXPECT_EQ(latest.says,
              fmt::format("the log is broken, and what is behind the break cannot be had; towards timeline 1 a server "
                          "can stop from 0/200100 up to 0/B00000: {} is missing",
                          missing_segment));
    EXPECT_EQ(latest.before, time_of(10));
    EXPECT_FALSE(latest.after);
}

TEST(Window, MomentBehindAGapIsRefusedWithWhatIsMissingAndTheNearestMoment) {
    const Recovery behind = LogWithout({11}).ask(RecoveryTarget::at(time_of(15)), {"newest"});
    EXPECT_FALSE(behind.possible);
    EXPECT_EQ(behind.says, fmt::format("the log does not reach it: {} is missing", missing_segment));
    EXPECT_EQ(behind.before, time_of(10));
    EXPECT_FALSE(behind.after) << "the backup that would reach it was passed over";

    const Recovery between = LogWithout({11}).ask(RecoveryTarget::at(time_of(11)));
    EXPECT_FALSE(between.possible);
    EXPECT_THAT(between.says, HasSubstr(missing_segment));
    EXPECT_EQ(between.before, time_of(10));
    EXPECT_EQ(between.after, first_from(13));
}

// As they are shown, cut off behind the millisecond.
TEST(Window, NearestMomentsArePossibleThemselves) {
    const LogWithout log({11});
    const Recovery none = log.ask(RecoveryTarget::at(time_of(11)));
    for (const Moment moment : {*none.before, *none.after}) {
        const auto shown = RecoveryTarget::at(parse_moment(kedge::to_string(moment)).value());
        EXPECT_TRUE(log.ask(shown).possible) << to_string(shown);
    }
}

TEST(Window, PositionInAGapIsRefusedWithWhatLiesOnBothSides) {
    const RecoveryTarget target{.kind = Kind::position, .position = behind(begin_of(11), 0x500)};
    const Recovery both = LogWithout({11}).ask(target);
    EXPECT_FALSE(both.possible);
    EXPECT_EQ(both.says,
              fmt::format("towards timeline 1 a server can stop from 0/200100 up to 0/B00000: {} is missing; and from "
                          "0/D00100 up to 0/1500000: 000000010000000000000015 is not there: nothing newer is",
                          missing_segment));
    EXPECT_EQ(both.before, time_of(10));
    EXPECT_EQ(both.after, first_from(13));

    const Recovery one = LogWithout({11}).ask(target, {"newest"});
    EXPECT_THAT(one.says, Not(HasSubstr("0/1500000")));
    EXPECT_FALSE(one.after);

    const Recovery early = LogWithout({}).ask({.kind = Kind::position, .position = begin_of(1)});
    EXPECT_FALSE(early.before);
    EXPECT_EQ(early.after, first_from(2));
}

TEST(Window, TransactionIsSoughtOnlyWhereAServerMayStop) {
    const Recovery none = LogWithout({11}).ask({.kind = Kind::transaction, .transaction = 4711}, {"newest"});
    EXPECT_THAT(none.says, HasSubstr("no such transaction ends where a server can stop"));
    EXPECT_THAT(none.says, HasSubstr(missing_segment));
    EXPECT_THAT(none.says, Not(HasSubstr("0/1500000")));
    EXPECT_FALSE(none.before) << "nobody knows where it would be";
}

TEST(Window, TimelineThatIsNotThereIsSaidToBeNotThere) {
    for (const Kind kind :
         {Kind::latest, Kind::consistent, Kind::moment, Kind::position, Kind::transaction, Kind::restore_point}) {
        const Recovery recovery = LogWithout({}).ask({.kind = kind, .moment = time_of(15), .timeline = 9});
        EXPECT_FALSE(recovery.possible);
        EXPECT_EQ(recovery.says, "the log has no timeline 9, only 1");
        EXPECT_FALSE(recovery.before || recovery.after);
    }
}

TEST(Window, TimelineToWhichNoBackupLeadsIsSaidToBeSo) {
    LogWithout log({});
    log.archive.histories[2] = {{.timeline = 1, .begin = {}, .end = begin_of(1)},
                                {.timeline = 2, .begin = begin_of(1)}};
    EXPECT_EQ(log.ask({.timeline = 2}).says, "no base backup lies on the way to timeline 2");
    EXPECT_TRUE(log.ask({.timeline = 1}).possible);
}

// What is asked of one timeline is not answered with what another has.
TEST(Window, TextIsOfTheTimelineThatIsAskedFor) {
    LogWithout log({11});
    log.archive.histories[2] = {{.timeline = 1, .begin = {}, .end = behind(begin_of(14), 0x10)},
                                {.timeline = 2, .begin = behind(begin_of(14), 0x10)}};
    const Recovery latest = log.ask({.timeline = 1}, {"newest"});
    EXPECT_THAT(latest.says, HasSubstr("towards timeline 1 a server can stop"));
    EXPECT_THAT(latest.says, HasSubstr(missing_segment));
}

TEST(Window, WithoutAnyBackupThatMayBeTakenPromisesNothing) {
    const Recovery recovery = LogWithout({}).ask({}, {"oldest", "older", "newest"});
    EXPECT_EQ(recovery.says, "every base backup from which anything is reached was passed over");
    EXPECT_FALSE(recovery.before || recovery.after);
    const Recovery unreachable = LogWithout({2, 5, 13}).ask({});
    EXPECT_THAT(unreachable.says, HasSubstr("no base backup can be restored; newest: it becomes consistent at"));
    const WalArchive archive = archive_without({});
    EXPECT_EQ(recovery_to(archive, {}, {}, time_of(60), OwnTransactions{})->says, "there is no base backup");
}

}  // namespace
}  // namespace kedge::verify
