// The daily and the weekly verification in the real lab: they succeed on sound backups, read nothing twice that has not
// changed, and say which point fails when a backup is damaged. Production is not touched: what is restored works in
// servers of its own.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "lab/observe.h"
#include "lab_world.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Verification : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(world_.is_up()) << world_.trouble();
        for (const char* policy : {"daily-dumps", "dump-copies", "redis-snapshots"}) {
            const RunOutput made = world_.kedge({"backup", "create", policy}, 120s);
            ASSERT_TRUE(made.exit.ok()) << policy << ": " << made.out << made.err;
        }
    }

    RunOutput verify(const std::string& plan) const {
        return world_.kedge({"run", "start", plan, "--play-people"}, 380s);
    }
    Json judgement(const std::string& policy) const {
        const RunOutput listed = world_.kedge({"backup", "list", policy, "--json"});
        const Json item = parse_json(listed.out).value()["items"][0];
        return item.contains("judgement") ? item["judgement"] : get(item["backups"].at(0), "judgement");
    }
    static std::string answer(const Json& judgement, std::string_view question) {
        for (const Json& answer : get(judgement, "answers"))
            if (get_string(answer, "question") == question)
                return answer["holds"].get<std::string>() + ": " + answer["says"].get<std::string>();
        return "not asked";
    }
    std::string newest_dump() const {
        const RunOutput listed = world_.kedge({"backup", "list", "daily-dumps", "--json"});
        return parse_json(listed.out).value()["items"][0]["backups"][0]["path"].get<std::string>();
    }

    const LabWorld world_;
};

TEST_F(Verification, OfTheDaySucceedsAndSaysWhichPointFails) {
    const RunOutput day = verify("daily-verification");
    EXPECT_TRUE(day.exit.ok()) << day.out << day.err;
    const Json sound = judgement("daily-dumps");
    EXPECT_EQ(get_string(sound, "rung"), "restored") << dump_pretty(sound);
    EXPECT_THAT(answer(sound, "production"), HasSubstr("yes: public.debates"));
    EXPECT_THAT(answer(sound, "production"), HasSubstr("counted on the standby in us-west-2"));
    EXPECT_THAT(answer(judgement("archived-log"), "continuous"), HasSubstr("yes: "));

    // A second one reads nothing again, and compares with production anew.
    EXPECT_TRUE(verify("daily-verification").exit.ok());
    const Json again = judgement("daily-dumps");
    EXPECT_TRUE(get_string(sound, "read_at"));
    EXPECT_EQ(get(again, "read_at"), get(sound, "read_at"));
    EXPECT_NE(get(again, "at"), get(sound, "at"));

    std::ofstream(newest_dump(), std::ios::app) << "x";
    const RunOutput damaged = verify("daily-verification");
    EXPECT_FALSE(damaged.exit.ok()) << damaged.out;
    EXPECT_THAT(answer(judgement("daily-dumps"), "intact"), HasSubstr("no: "));
    EXPECT_EQ(world_.kedge({"backup", "list"}).exit.code, 15);
    EXPECT_EQ(world_.role("postgres-us-east-1"), "primary");
}

TEST_F(Verification, OfTheWeekRecoversToAMomentChosenByChance) {
    // Something must have happened since the base backup, and its log must have been archived.
    for (int seq = 1; seq <= 3; ++seq)
        world_.sql("postgres-us-east-1",
                   fmt::format("INSERT INTO lab_heartbeat (stream, seq) VALUES ('week', {})", seq));
    const std::string segment = world_.sql("postgres-us-east-1", "SELECT pg_walfile_name(pg_switch_wal())");
    ASSERT_TRUE(wait_for(segment + " to be archived", kedge::within(60s), [&]() -> Result<bool> {
        return world_.sql("postgres-us-east-1", "SELECT last_archived_wal FROM pg_stat_archiver") >= segment;
    }));
    const RunOutput week = verify("weekly-verification");
    EXPECT_TRUE(week.exit.ok()) << week.out << week.err;
    const Json base = judgement("base-backups");
    EXPECT_THAT(answer(base, "recovered"), HasSubstr("its last transaction is the one that was read in the log"));
    EXPECT_THAT(answer(judgement("dump-copies"), "copied"), HasSubstr("the same by content"));
    EXPECT_THAT(answer(judgement("redis-snapshots"), "proved"), HasSubstr("yes: "));
}

}  // namespace
}  // namespace kedge::lab
