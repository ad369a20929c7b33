// A recovered database is swapped in for production in the real lab, after a bad statement has damaged several tables:
// undisturbed, with its controller killed at one boundary after the other, and refused where it is not safe.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/json.h"
#include "kill_runs.h"
#include "lab/observe.h"
#include "lab_world.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::IsEmpty;

constexpr const char* east = "postgres-us-east-1";
constexpr const char* west = "postgres-us-west-2";
constexpr Span plan_limit = 400s;

// Writes through the entrance all the time, as the application's users do.
class EntranceWriter {
public:
    explicit EntranceWriter(const Layout& layout)
        : token_(read_file(layout.service_token()).value_or("")),
          thread_([this](const std::stop_token& stop) { write(stop); }) {}

    // The longest time between two acknowledged writes.
    Span finish() {
        thread_.request_stop();
        if (thread_.joinable()) thread_.join();
        Span longest{};
        for (std::size_t i = 1; i < acknowledged_.size(); ++i)
            longest = std::max(longest, acknowledged_[i] - acknowledged_[i - 1]);
        return longest;
    }
    std::size_t count() const { return acknowledged_.size(); }

private:
    void write(const std::stop_token& stop) {
        std::int64_t sequence = 0;
        token_.erase(token_.find_last_not_of('\n') + 1);
        while (!stop.stop_requested()) {
            const HttpRequest request{
                .method = "POST",
                .target = "http://127.0.13.60:21000/api/heartbeat",
                .headers = {{"Authorization", "Bearer " + token_}, {"Content-Type", "application/json"}},
                .body = dump(Json{{"stream", "entrance"}, {"seq", ++sequence}})};
            const auto answer = http_request(request, kedge::within(20s, stop));
            if (answer && answer->status == 200) acknowledged_.push_back(SystemClock().now());
            wait_out(kedge::within(20ms, stop));
        }
    }

    std::string token_;
    std::vector<Moment> acknowledged_;  // of the thread, until it was joined
    std::jthread thread_;
};

class PromotionInTheLab : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(world_.is_up()) << world_.trouble();
        person_ = world_.sql(east, "SELECT user_id FROM audit_logs WHERE user_id IS NOT NULL LIMIT 1");
        const RunOutput erased =
            world_.kedge({"erasure", "add", person_, "--reason", "asked for it", "--source", "a letter"});
        ASSERT_TRUE(erased.exit.ok()) << erased.err;
        nodes_ = number("SELECT count(*) FROM knowledge_nodes");
        ASSERT_GT(nodes_, 0);
    }
    void TearDown() override { world_.kedge({"recover", "discard", "undone", "--confirm", "undone"}, 120s); }

    std::int64_t number(const std::string& query) const {
        const std::string answer = world_.sql(east, query);
        std::int64_t value = -1;
        std::from_chars(answer.data(), answer.data() + answer.size(), value);
        return value;
    }
    // One statement that changes rows of three tables, and what production writes after it; its transaction.
    void damage(std::string& accident) {
        accident = world_.sql(east,
                              "WITH a AS (UPDATE debates SET task = '(broken)'), "
                              "b AS (UPDATE tenants SET name = '(broken)'), "
                              "c AS (DELETE FROM knowledge_nodes) SELECT txid_current()");
        ASSERT_GT(number("SELECT count(*) FROM debates WHERE task = '(broken)'"), 0);
        ASSERT_THAT(tasks(), Contains("(broken)")) << "users see it";
        world_.sql(east, "INSERT INTO lab_heartbeat (stream, seq) VALUES ('after the accident', 1)");
    }
    void drop_the_database() const {
        const auto dropped = ask_postgres(world_.lab().layout(), *find_place(east), "postgres",
                                          "DROP DATABASE aragora WITH (FORCE)", kedge::within(30s));
        ASSERT_TRUE(dropped) << dropped.error().message;
        ASSERT_THAT(tasks(), IsEmpty()) << "users see it";
    }
    // Then a copy from before it, by the log.
    void damage_and_recover() {
        std::string accident;
        ASSERT_NO_FATAL_FAILURE(damage(accident));
        const std::string segment = world_.sql(east, "SELECT pg_walfile_name(pg_switch_wal())");
        ASSERT_TRUE(wait_for(segment + " to be archived", kedge::within(60s), [&]() -> Result<bool> {
            return world_.sql(east, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment;
        }));
        const RunOutput made =
            world_.kedge({"recover", "pitr", "--to", "xid:" + accident, "--exclusive", "--name", "undone"}, plan_limit);
        ASSERT_TRUE(made.exit.ok()) << made.out << made.err;
    }
    // What the application gives its users, through the entrance.
    std::vector<std::string> tasks() const {
        std::string token = read_file(world_.lab().layout().service_token()).value_or("");
        token.erase(token.find_last_not_of('\n') + 1);
        const auto answer = http_request({.target = "http://127.0.13.60:21000/api/debates?limit=20",
                                          .headers = {{"Authorization", "Bearer " + token}}},
                                         kedge::within(20s));
        std::vector<std::string> tasks;
        const Json body = answer ? parse_json(answer->body).value_or(Json()) : Json();
        for (const Json& debate : get(body, "debates")) tasks.push_back(get_string(debate, "task").value_or("none"));
        return tasks;
    }
    // Or by a dump, which has an earlier schema.
    void dump_and_damage_and_restore() {
        ASSERT_TRUE(world_.move_schema("1"));
        const RunOutput dumped = world_.kedge({"backup", "create", "daily-dumps"}, 120s);
        ASSERT_TRUE(dumped.exit.ok()) << dumped.out << dumped.err;
        ASSERT_TRUE(world_.move_schema("2"));
        std::string accident;
        ASSERT_NO_FATAL_FAILURE(damage(accident));
        const RunOutput made = world_.kedge({"recover", "restore", "--name", "undone"}, plan_limit);
        ASSERT_TRUE(made.exit.ok()) << made.out << made.err;
    }
    static Arguments plan(const char* name = "promote-recovery") {
        return {"run",
                "start",
                name,
                "--input",
                "name=undone",
                "--input",
                "region=us-east-1",
                "--input",
                "standby=us-west-2",
                "--input",
                "schema=2",
                "--confirm",
                "undone",
                "--play-people"};
    }
    // Users write meanwhile, and somebody looks for a second writer.
    void run_beside_users(const char* name) const {
        EntranceWriter users(world_.lab().layout());
        WriterWatch writers;
        const Moment begun = SystemClock().now();
        const RunOutput done = world_.kedge(plan(name), plan_limit);
        const Span all = SystemClock().now() - begun;
        writers.finish();
        const Span outage = users.finish();
        ASSERT_TRUE(done.exit.ok()) << done.out << done.err << shown();
        fmt::print("{}: {:.1f} s; writes through the entrance waited {:.2f} s, {} were acknowledged\n", name,
                   seconds(all), seconds(outage), users.count());
        EXPECT_THAT(writers.second_writers(), IsEmpty());
    }
    LoadedRun last_run() const { return world_.load(world_.runs().back()).value(); }
    static const StepRecord& step(const LoadedRun& run, const char* id) {
        return run.state.record(*run.state.find(id));
    }
    std::string shown() const { return world_.kedge({"run", "show", world_.runs().back(), "--evidence"}).out; }
    std::string kept() const { return world_.lab().layout().root + "/postgres-us-east-1/data.kedge-before-undone"; }

    void expect_undone() const {
        EXPECT_THAT(tasks(), testing::Not(Contains("(broken)"))) << "the application gives the old rows again";
        EXPECT_FALSE(tasks().empty());
        EXPECT_EQ(number("SELECT count(*) FROM debates WHERE task = '(broken)'"), 0);
        EXPECT_EQ(number("SELECT count(*) FROM tenants WHERE name = '(broken)'"), 0);
        EXPECT_GT(number("SELECT count(*) FROM knowledge_nodes"), 0);
        EXPECT_EQ(number("SELECT count(*) FROM lab_heartbeat WHERE stream = 'after the accident'"), 0);
        EXPECT_EQ(world_.sql(east, fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
        EXPECT_EQ(world_.role(east), "primary");
        EXPECT_EQ(world_.role(west), "standby");
        EXPECT_EQ(world_.sql(east, "SELECT version FROM schema_version"), "2");
    }
    void expect_promoted(int timeline) const {
        expect_undone();
        EXPECT_EQ(world_.timeline(east), timeline);
        EXPECT_EQ(world_.timeline(west), timeline) << "the standby follows it";
        EXPECT_TRUE(exists(kept() + "/PG_VERSION"));
    }
    std::string databases(const char* server) const {
        return world_.sql(server,
                          "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE "
                          "current_database() || '%'");
    }
    void expect_exchanged() const {
        expect_undone();
        EXPECT_EQ(world_.timeline(east), 1) << "the server went on";
        EXPECT_EQ(databases(east), "aragora aragora_before_undone");
        EXPECT_EQ(databases(west), "aragora aragora_before_undone") << "the standby follows";
    }
    void expect_listed_and_owed(const LoadedRun& run) const {
        const Json tables = get(*step(run, "losses").evidence, "tables");
        EXPECT_EQ(get_integer(get(tables, "public.knowledge_nodes"), "only_copy").value_or(0) > 0, true)
            << dump(tables);
        EXPECT_GT(get_integer(get(tables, "public.debates"), "changed").value_or(0), 0) << dump(tables);
        EXPECT_GT(get_integer(get(tables, "public.lab_heartbeat"), "only_production").value_or(0), 0) << dump(tables);
        ASSERT_EQ(run.state.obligations().size(), 1U) << shown();
        EXPECT_EQ(run.state.obligations().front().name, "replaced data");
        EXPECT_EQ(step(run, "verified").state, StepState::succeeded);
        EXPECT_EQ(step(run, "backup").state, StepState::succeeded);
    }

    const LabWorld world_;
    std::string person_;
    std::int64_t nodes_ = 0;
};

TEST_F(PromotionInTheLab, UndoesABadStatementAndOwesNothingButTheOldData) {
    ASSERT_NO_FATAL_FAILURE(damage_and_recover());
    ASSERT_NO_FATAL_FAILURE(run_beside_users("promote-recovery"));
    expect_promoted(2);
    expect_listed_and_owed(last_run());

    EXPECT_TRUE(world_.kedge({"recover", "discard", "undone", "--confirm", "undone"}, 60s).exit.ok());
    EXPECT_FALSE(exists(kept()));
    EXPECT_EQ(world_.role(east), "primary");
}

TEST_F(PromotionInTheLab, EndsTheSameWhereverItsControllerIsKilled) {
    ASSERT_NO_FATAL_FAILURE(damage_and_recover());
    WriterWatch writers;
    const Killed killed = run_with_kills(world_, plan(), {.stride = 4, .kills_max = 24, .limit = plan_limit});
    writers.finish();
    ASSERT_EQ(killed.trouble, "");
    EXPECT_GE(killed.boundaries.size(), 10U);
    const LoadedRun run = last_run();
    ASSERT_EQ(run.state.result(), RunResult::succeeded) << shown();
    EXPECT_THAT(writers.second_writers(), IsEmpty());
    expect_promoted(2);
    expect_listed_and_owed(run);
    EXPECT_TRUE(world_.kedge({"journal", "verify"}).exit.ok());
}

TEST_F(PromotionInTheLab, ARestoredDumpIsExchangedForTheDatabaseOfTheRunningServer) {
    ASSERT_NO_FATAL_FAILURE(dump_and_damage_and_restore());
    ASSERT_NO_FATAL_FAILURE(run_beside_users("exchange-database"));
    expect_exchanged();
    expect_listed_and_owed(last_run());

    const RunOutput back = world_.kedge({"recover", "put-back", "undone", "--confirm", "undone"}, 60s);
    ASSERT_TRUE(back.exit.ok()) << back.out << back.err;
    EXPECT_GT(number("SELECT count(*) FROM debates WHERE task = '(broken)'"), 0) << "as it was";
    EXPECT_EQ(databases(east), "aragora aragora_from_undone");
    const RunOutput again = world_.kedge({"recover", "exchange", "undone", "--confirm", "undone"}, 60s);
    ASSERT_TRUE(again.exit.ok()) << again.out << again.err;
    expect_exchanged();

    EXPECT_TRUE(world_.kedge({"recover", "discard", "undone", "--confirm", "undone"}, 60s).exit.ok());
    EXPECT_EQ(databases(east), "aragora");
    expect_undone();
}

TEST_F(PromotionInTheLab, ADatabaseThatWasDroppedComesBackByTheLogAndWithAllItHad) {
    const std::vector<std::string> before = tasks();
    ASSERT_FALSE(before.empty());
    world_.sql(east, "INSERT INTO lab_heartbeat (stream, seq) VALUES ('just before', 1)");
    world_.sql(east, "SELECT pg_create_restore_point('just-before')");
    ASSERT_NO_FATAL_FAILURE(drop_the_database());
    const auto segment = ask_postgres(world_.lab().layout(), *find_place(east), "postgres",
                                      "SELECT pg_walfile_name(pg_switch_wal())", kedge::within(30s));
    ASSERT_TRUE(segment) << segment.error().message;
    ASSERT_TRUE(wait_for(*segment + " to be archived", kedge::within(60s), [&]() -> Result<bool> {
        return ask_postgres(world_.lab().layout(), *find_place(east), "postgres",
                            "SELECT last_archived_wal FROM pg_stat_archiver", kedge::within(10s))
                   .value_or("") >= *segment;
    }));
    const RunOutput made = world_.kedge({"run", "start", "point-in-time-recovery", "--input", "to=name:just-before",
                                         "--input", "name=undone", "--confirm", "RECOVER", "--play-people"},
                                        plan_limit);
    ASSERT_TRUE(made.exit.ok()) << made.out << made.err << shown();
    WriterWatch writers;
    const RunOutput done = world_.kedge(plan("exchange-database"), plan_limit);
    writers.finish();
    ASSERT_TRUE(done.exit.ok()) << done.out << done.err << shown();
    EXPECT_THAT(writers.second_writers(), IsEmpty());
    EXPECT_EQ(get_bool(*step(last_run(), "losses").evidence, "live_is_gone"), true) << shown();
    EXPECT_EQ(tasks(), before);
    EXPECT_EQ(databases(east), "aragora") << "there was none to keep";
    EXPECT_EQ(databases(west), "aragora") << "the standby follows";
    EXPECT_EQ(number("SELECT count(*) FROM lab_heartbeat WHERE stream = 'just before'"), 1) << "nothing is lost";
    EXPECT_EQ(world_.sql(east, fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
    EXPECT_EQ(world_.timeline(east), 1) << "the server went on";
}

TEST_F(PromotionInTheLab, ADatabaseThatWasDroppedComesBackByADumpAndCommands) {
    const std::size_t before = tasks().size();
    ASSERT_GT(before, 0U);
    const RunOutput dumped = world_.kedge({"backup", "create", "daily-dumps"}, 120s);
    ASSERT_TRUE(dumped.exit.ok()) << dumped.out << dumped.err;
    ASSERT_NO_FATAL_FAILURE(drop_the_database());
    for (const Arguments& words : {Arguments{"recover", "restore", "--name", "undone"},
                                   {"recover", "exchange", "undone", "--in", "us-east-1", "--confirm", "undone"}}) {
        const RunOutput done = world_.kedge(words, plan_limit);
        ASSERT_TRUE(done.exit.ok()) << words.at(1) << ": " << done.out << done.err;
    }
    EXPECT_EQ(databases(east), "aragora") << "there was none to keep";
    ASSERT_TRUE(wait_for("users to read it again", kedge::within(60s), [&]() -> Result<bool> {
        return tasks().size() == before;
    })) << fmt::format("{}", fmt::join(tasks(), ", "));
    EXPECT_EQ(world_.sql(east, fmt::format("SELECT count(*) FROM users WHERE id = '{}'", person_)), "0");
    EXPECT_TRUE(wait_for("the standby to follow", kedge::within(60s),
                         [&]() -> Result<bool> { return databases(west) == "aragora"; }));
    EXPECT_EQ(world_.timeline(west), 1);
}

TEST_F(PromotionInTheLab, AnExchangeEndsTheSameWhereverItsControllerIsKilled) {
    ASSERT_NO_FATAL_FAILURE(dump_and_damage_and_restore());
    WriterWatch writers;
    const Killed killed =
        run_with_kills(world_, plan("exchange-database"), {.stride = 3, .kills_max = 24, .limit = plan_limit});
    writers.finish();
    ASSERT_EQ(killed.trouble, "");
    EXPECT_GE(killed.boundaries.size(), 10U);
    ASSERT_EQ(last_run().state.result(), RunResult::succeeded) << shown();
    EXPECT_THAT(writers.second_writers(), IsEmpty());
    expect_exchanged();
    expect_listed_and_owed(last_run());
    EXPECT_TRUE(world_.kedge({"journal", "verify"}).exit.ok());
}

TEST_F(PromotionInTheLab, IsPutBackUnderTheFence) {
    ASSERT_NO_FATAL_FAILURE(damage_and_recover());
    ASSERT_TRUE(world_.kedge(plan(), plan_limit).exit.ok()) << shown();
    const RunOutput refused = world_.kedge({"recover", "put-back", "undone", "--confirm", "undone"}, 60s);
    EXPECT_EQ(refused.exit.code, 7) << "production runs: " << refused.out << refused.err;
    const auto control = [&](const char* verb) {
        return run({world_.lab().layout().own_program(), "lab-control", world_.lab().layout().root, verb, east},
                   kedge::within(60s));
    };
    ASSERT_TRUE(control("fence")->exit.ok());
    const RunOutput back = world_.kedge({"recover", "put-back", "undone", "--confirm", "undone"}, 120s);
    EXPECT_TRUE(back.exit.ok()) << back.out << back.err;
    ASSERT_TRUE(control("unfence")->exit.ok());
    ASSERT_TRUE(control("start")->exit.ok());
    ASSERT_TRUE(wait_for("production to answer", kedge::within(60s),
                         [&]() -> Result<bool> { return world_.role(east) == "primary"; }));
    EXPECT_GT(number("SELECT count(*) FROM debates WHERE task = '(broken)'"), 0) << "as it was";
    EXPECT_EQ(number("SELECT count(*) FROM lab_heartbeat WHERE stream = 'after the accident'"), 1);
    EXPECT_EQ(world_.timeline(east), 1);
    EXPECT_FALSE(exists(kept()));
}

}  // namespace
}  // namespace kedge::lab
