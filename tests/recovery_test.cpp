// Point-in-time recovery in the real lab, after something real was damaged: by the plan, killed on its way and resumed,
// and by the commands; with people who must stay erased.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"
#include "lab/observe.h"
#include "lab_world.h"
#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* east = "postgres-us-east-1";

class Recovery : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(world_.is_up()) << world_.trouble();
        person_ = world_.sql(east, "SELECT user_id FROM audit_logs WHERE user_id IS NOT NULL LIMIT 1");
        nodes_ = world_.sql(east, "SELECT count(*) FROM knowledge_nodes");
        ASSERT_GT(std::stoi(nodes_), 0);
        before_ = moment();
        world_.sql(east, "DELETE FROM knowledge_nodes");
        world_.sql(east, "INSERT INTO lab_heartbeat (stream, seq) VALUES ('after the accident', 1)");
        ASSERT_NE(archive("the accident"), "");
    }
    void TearDown() override {
        for (const char* name : {"lost", "gated"}) world_.kedge({"recover", "discard", name, "--confirm", name});
    }

    std::string moment() const {
        return world_.sql(east,
                          "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    }
    // The segment that ends behind what is written now, once it is in the archive; empty if it does not come there.
    std::string archive(const std::string& what) const {
        std::string segment = world_.sql(east, "SELECT pg_walfile_name(pg_switch_wal())");
        const auto archived = wait_for(what + " to be archived", kedge::within(60s), [&]() -> Result<bool> {
            return world_.sql(east, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment;
        });
        return archived ? segment : "";
    }
    void erase(const std::string& person) const {
        const RunOutput done =
            world_.kedge({"erasure", "add", person, "--reason", "asked for it", "--source", "a letter"});
        ASSERT_TRUE(done.exit.ok()) << done.err;
    }
    RunOutput start_plan(const std::string& name) const {
        return world_.kedge({"run", "start", "point-in-time-recovery", "--input", "to=" + before_, "--input",
                             "name=" + name, "--play-people"},
                            300s);
    }
    Json shown(const std::string& name) const {
        return parse_json(world_.kedge({"recover", "show", name, "--json"}).out).value();
    }
    // One value from a recovered server.
    static std::string ask(const Json& recovery, const std::string& sql) {
        const std::string where = get_string(get(recovery, "item"), "connection").value_or("no connection");
        const RunOutput output = run({"psql", "-XAt", "-d", where, "-c", sql}, kedge::within(30s)).value();
        return output.exit.ok() ? output.out.substr(0, output.out.find('\n')) : output.err;
    }

    const LabWorld world_;
    std::string person_, nodes_, before_;
};

TEST_F(Recovery, BringsBackWhatABadStatementTookAndNobodyWhoIsErased) {
    erase(person_);
    const RunOutput done = start_plan("lost");
    EXPECT_TRUE(done.exit.ok()) << done.out << done.err;
    const Json recovery = shown("lost");
    EXPECT_THAT(dump_pretty(recovery), HasSubstr("\"proved\": \"yes\""));
    EXPECT_EQ(world_.sql(east, "SELECT count(*) FROM knowledge_nodes"), "0") << "production is as it was";
    EXPECT_EQ(ask(recovery, "SELECT count(*) > 0 FROM knowledge_nodes"), "t");
    EXPECT_EQ(ask(recovery, fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
    EXPECT_EQ(ask(recovery, fmt::format("SELECT count(*) FROM audit_logs WHERE user_id = '{}'", person_)), "0");
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM lab_heartbeat WHERE stream = 'after the accident'"), "0");
    EXPECT_EQ(world_.role(east), "primary");

    const LoadedRun run = world_.load(world_.runs().back()).value();
    ASSERT_EQ(run.state.obligations().size(), 1U) << "the copy is owed until somebody discards it";
    EXPECT_THAT(run.state.obligations().front().name, HasSubstr("recovered copy"));
    EXPECT_TRUE(world_.kedge({"recover", "discard", "lost", "--confirm", "lost"}).exit.ok());
    EXPECT_EQ(world_.kedge({"recover", "show", "lost"}).exit.code, 4);
}

TEST_F(Recovery, StaysShutWhileNobodyKnowsWhoIsErased) {
    // Nothing listens there.
    const RunOutput pulled = world_.kedge({"erasure", "pull", "--url", "http://127.0.13.99:9/exclusions"});
    EXPECT_EQ(pulled.exit.code, 14) << pulled.out << pulled.err;
    const RunOutput made = world_.kedge({"recover", "pitr", "--to", before_, "--name", "gated"}, 200s);
    EXPECT_EQ(made.exit.code, 7) << made.out << made.err;
    EXPECT_THAT(made.out, HasSubstr("nothing may be taken from it"));
    erase(person_);
    const RunOutput opened = world_.kedge({"recover", "erase", "gated"});
    EXPECT_TRUE(opened.exit.ok()) << opened.out << opened.err;
    EXPECT_EQ(ask(shown("gated"), fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
    EXPECT_EQ(ask(shown("gated"), "SELECT count(*) > 0 FROM knowledge_nodes"), "t");
}

TEST_F(Recovery, GoesOnAfterItsControllerWasKilled) {
    erase(person_);
    Child controller = world_
                           .start_kedge({"run", "start", "point-in-time-recovery", "--input", "to=" + before_,
                                         "--input", "name=lost", "--play-people"})
                           .value();
    ASSERT_TRUE(wait_for("the recovery to have begun", kedge::within(60s), [&]() -> Result<bool> {
        const std::string stage =
            get_string(
                get(parse_json(world_.kedge({"recover", "show", "lost", "--json"}).out).value_or(Json()), "item"),
                "stage")
                .value_or("");
        return stage == "working";
    }));
    controller.kill_and_reap();
    const RunOutput resumed = world_.kedge({"run", "resume", world_.runs().back(), "--play-people"}, 200s);
    EXPECT_TRUE(resumed.exit.ok()) << resumed.out << resumed.err;
    EXPECT_EQ(ask(shown("lost"), "SELECT count(*) > 0 FROM knowledge_nodes"), "t");
}

TEST_F(Recovery, RestoresWhatLosesLessAfterATableWasDropped) {
    erase(person_);
    // A sound dump, and a newer one that is damaged.
    ASSERT_TRUE(world_.kedge({"backup", "create", "daily-dumps"}, 120s).exit.ok());
    const RunOutput made = world_.kedge({"backup", "create", "daily-dumps", "--json"}, 120s);
    const std::string damaged =
        get_string(parse_json(made.out).value()["items"][0], "path").value_or("no path: " + made.err);
    std::filesystem::resize_file(damaged, std::filesystem::file_size(damaged) / 2);
    const std::string receipts = world_.sql(east, "SELECT count(*) FROM decision_receipts");
    const std::string good = moment();
    world_.sql(east, "DROP TABLE decision_receipts");

    const RunOutput done = world_.kedge(
        {"run", "start", "full-restore", "--input", "to=" + good, "--input", "name=lost", "--play-people"}, 300s);
    EXPECT_TRUE(done.exit.ok()) << done.out << done.err;
    const Json recovery = shown("lost");
    EXPECT_THAT(dump_pretty(recovery), HasSubstr(damaged)) << "which one was passed over is said";
    EXPECT_EQ(ask(recovery, "SELECT count(*) FROM decision_receipts"), receipts);
    EXPECT_EQ(ask(recovery, fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
    EXPECT_EQ(world_.sql(east, "SELECT to_regclass('decision_receipts') IS NULL"), "t");
}

TEST_F(Recovery, RefusesWhatTheArchiveCannotGive) {
    const RunOutput late = world_.kedge({"recover", "pitr", "--to", "2040-01-01T00:00:00Z", "--dry-run"}, 60s);
    EXPECT_EQ(late.exit.code, 15) << late.out << late.err;
    EXPECT_THAT(late.out, HasSubstr("nearest before"));
    EXPECT_EQ(world_.kedge({"recover", "pitr", "--to", "2026-01-01T00:00:00"}).exit.code, 2) << "no zone";
    const RunOutput early = world_.kedge({"run", "start", "point-in-time-recovery", "--input",
                                          "to=2020-01-01T00:00:00Z", "--input", "name=lost", "--play-people"},
                                         120s);
    EXPECT_FALSE(early.exit.ok());
    EXPECT_THAT(early.out + early.err, HasSubstr("cannot be recovered"));
}

TEST_F(Recovery, SaysWhereTheLogHasAGapAndWhatCanBeHadBeforeIt) {
    world_.sql(east, "INSERT INTO lab_heartbeat (stream, seq) VALUES ('lost', 1)");
    const std::string lost = archive("what is lost"), behind = moment();
    world_.sql(east, "INSERT INTO lab_heartbeat (stream, seq) VALUES ('behind', 1)");
    ASSERT_NE(lost, "");
    ASSERT_NE(archive("what is behind it"), "");
    ASSERT_TRUE(std::filesystem::remove(world_.lab().layout().wal_store() + "/" + lost));
    const RunOutput refused = world_.kedge({"recover", "pitr", "--to", behind, "--dry-run"}, 60s);
    EXPECT_EQ(refused.exit.code, 15) << refused.out << refused.err;
    EXPECT_THAT(refused.out, HasSubstr("nearest before"));
    const RunOutput plan = world_.kedge(
        {"run", "start", "point-in-time-recovery", "--input", "to=" + behind, "--input", "name=lost", "--play-people"},
        120s);
    EXPECT_FALSE(plan.exit.ok()) << plan.out;
    EXPECT_THAT(plan.out + plan.err, HasSubstr("cannot be recovered"));
    const RunOutput before = world_.kedge({"recover", "pitr", "--to", before_, "--dry-run"}, 60s);
    EXPECT_TRUE(before.exit.ok()) << before.out << before.err;
}

}  // namespace
}  // namespace kedge::lab
