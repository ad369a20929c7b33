// Rollbacks in the real lab: the application to an earlier release, with its health as the judge, and the schema down
// behind a restore point. Something is really broken first: a release that has a fault, instances that are gone, a lock
// that nobody gives up, a schema that is not what it says, a controller that is killed on its way.
//
// The tests share one lab; each begins with release 1.2.0 on version 3 of the schema, as after two migrations.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kill_runs.h"
#include "lab/observe.h"
#include "lab/supervisor_client.h"
#include "lab_world.h"
#include "os/clock.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* east = "postgres-us-east-1";
constexpr const char* everywhere_1_2_0 = "1.2.0 healthy, 1.2.0 healthy, 1.2.0 healthy, 1.2.0 healthy";
constexpr const char* everywhere_1_1_0 = "1.1.0 healthy, 1.1.0 healthy, 1.1.0 healthy, 1.1.0 healthy";
constexpr Span run_limit = 200s;

class Rollback : public testing::Test {
protected:
    static void SetUpTestSuite() { world_ = std::make_unique<LabWorld>(); }
    static void TearDownTestSuite() { world_.reset(); }
    void SetUp() override {
        ASSERT_TRUE(world_->is_up()) << world_->trouble();
        ASSERT_TRUE(world_->move_schema("3"));
        for (const char* region : {east_region, west_region}) ASSERT_TRUE(deploy(region, "1.2.0"));
        world_->sql(east, "UPDATE users SET locale = 'de' WHERE id = 'usr_1'");
        ASSERT_EQ(locale(), "de");
        ASSERT_TRUE(wait_for("the application to be healthy", kedge::within(60s),
                             []() -> Result<bool> { return application() == everywhere_1_2_0; }));
    }
    void TearDown() override { give_lock_up(); }

    static Result<void> deploy(const std::string& region, const std::string& release) {
        return said(run_or_fail(
            {world_->lab().layout().own_program(), "lab-deploy", world_->lab().layout().root, region, release},
            kedge::within(60s)));
    }
    static Result<void> said(const Result<RunOutput>& output) {
        if (!output) return output.error();
        return {};
    }
    static std::string version() { return world_->sql(east, "SELECT version FROM schema_version"); }
    static std::string locale() { return world_->sql(east, "SELECT locale FROM users WHERE id = 'usr_1'"); }
    static bool has_column(const std::string& table, const std::string& name) {
        return world_->sql(east, fmt::format("SELECT count(*) FROM information_schema.columns WHERE table_name = '{}' "
                                             "AND column_name = '{}'",
                                             table, name)) == "1";
    }
    // "1.2.0 healthy, ...": what every instance says of itself.
    static std::string application() {
        std::string all;
        for (const Place& place : places()) {
            if (place.kind != Kind::application) continue;
            const auto answer =
                http_request({.target = "http://" + to_string(place.direct()) + "/api/health"}, kedge::within(5s));
            const Json body = answer ? parse_json(answer->body).value_or(Json()) : Json();
            all += fmt::format("{}{} {}", all.empty() ? "" : ", ", get_string(body, "version").value_or("?"),
                               get_string(body, "status").value_or("silent"));
        }
        return all;
    }
    static std::string maintenance() {
        std::string all;
        for (const Place& place : places()) {
            if (place.kind != Kind::application) continue;
            const auto answer =
                http_request({.target = "http://" + to_string(place.direct()) + "/api/health"}, kedge::within(5s));
            all += (all.empty() ? "" : " ") +
                   get_string(answer ? parse_json(answer->body).value_or(Json()) : Json(), "maintenance").value_or("?");
        }
        return all;
    }

    static Arguments back_to_release(const std::string& release, const std::string& region = east_region,
                                     const std::string& other = west_region,
                                     const std::string& other_region = "serves") {
        return {"run",
                "start",
                "application-rollback",
                "-i",
                "release=" + release,
                "-i",
                "region=" + region,
                "-i",
                "other=" + other,
                "-i",
                "other-region=" + other_region,
                "--confirm",
                "aragora-api",
                "--play-people"};
    }
    static Arguments back_to_version(const std::string& version, const std::string& lock_timeout = "2s") {
        return {"run",
                "start",
                "schema-rollback",
                "-i",
                "version=" + version,
                "-i",
                "region=us-east-1",
                "-i",
                "other=us-west-2",
                "-i",
                "lock-timeout=" + lock_timeout,
                "--confirm",
                "aragora-schema",
                "--play-people"};
    }
    static RunOutput start(const Arguments& words) { return world_->kedge(words, run_limit); }

    // Somebody's transaction reads what the migration has to change.
    static void take_lock() {
        blocker_ = Child::spawn({"psql", "-XAt", "host=127.0.11.110 port=21432 user=postgres dbname=aragora", "-c",
                                 "BEGIN; LOCK TABLE users IN ACCESS SHARE MODE; SELECT pg_sleep(240)"},
                                {})
                       .value();
        ASSERT_TRUE(wait_for("the lock", kedge::within(30s), []() -> Result<bool> {
            return world_->sql(east, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
        }));
    }
    static void give_lock_up() {
        if (!blocker_) return;
        world_->sql(east, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        blocker_.reset();
    }

    static std::unique_ptr<LabWorld> world_;
    static std::optional<Child> blocker_;
};

std::unique_ptr<LabWorld> Rollback::world_;
std::optional<Child> Rollback::blocker_;

TEST_F(Rollback, GoesBackStepByStepAndRefusesWhatDoesNotLiveWithTheSchema) {
    const RunOutput too_old = start(back_to_release("1.0.0"));
    EXPECT_FALSE(too_old.exit.ok());
    EXPECT_THAT(too_old.out + too_old.err, AllOf(HasSubstr("release 1.0.0 (asked for) lives with 1 to 2"),
                                                 HasSubstr("what lives with 3: 1.1.0, 1.1.1, 1.2.0")));
    EXPECT_EQ(application(), everywhere_1_2_0) << "nothing was started";

    const RunOutput too_early = start(back_to_version("2"));
    EXPECT_FALSE(too_early.exit.ok());
    EXPECT_THAT(too_early.out + too_early.err, HasSubstr("lives with 3 to 3"));
    EXPECT_EQ(version(), "3");
    EXPECT_EQ(maintenance(), "off off off off");

    const RunOutput back = start(back_to_release("1.1.0"));
    EXPECT_TRUE(back.exit.ok()) << back.out << back.err;
    EXPECT_EQ(application(), everywhere_1_1_0);

    const RunOutput down = start(back_to_version("2"));
    EXPECT_TRUE(down.exit.ok()) << down.out << down.err;
    EXPECT_EQ(version(), "2");
    EXPECT_FALSE(has_column("users", "locale"));
    EXPECT_TRUE(has_column("debates", "language"));
    EXPECT_EQ(maintenance(), "off off off off");
    const LoadedRun run = world_->load(world_->runs().back()).value();
    const auto point = get_string(*run.state.record(*run.state.find("restore-point")).evidence, "restore_point");
    ASSERT_TRUE(point);

    const RunOutput older = start(back_to_release("1.0.0"));
    EXPECT_TRUE(older.exit.ok()) << older.out << older.err;
    EXPECT_EQ(application(), "1.0.0 healthy, 1.0.0 healthy, 1.0.0 healthy, 1.0.0 healthy");

    // What was dropped is found again at the restore point.
    const std::string segment = world_->sql(east, "SELECT pg_walfile_name(pg_switch_wal())");
    ASSERT_TRUE(wait_for(segment + " to be archived", kedge::within(60s), [&]() -> Result<bool> {
        return world_->sql(east, "SELECT last_archived_wal FROM pg_stat_archiver") >= segment;
    }));
    ASSERT_TRUE(
        world_->kedge({"erasure", "add", "usr_9", "--reason", "asked for it", "--source", "a letter"}).exit.ok());
    const RunOutput found = world_->kedge({"recover", "pitr", "--to", "name:" + *point, "--name", "before-it"}, 200s);
    EXPECT_TRUE(found.exit.ok()) << found.out << found.err;
    const Json shown = parse_json(world_->kedge({"recover", "show", "before-it", "--json"}).out).value_or(Json());
    const std::string where = get_string(get(shown, "item"), "connection").value_or("no connection");
    EXPECT_EQ(run_or_fail({"psql", "-XAt", "-d", where, "-c", "SELECT locale FROM users WHERE id = 'usr_1'"},
                          kedge::within(30s))
                  .value()
                  .out,
              "de\n");
    EXPECT_TRUE(world_->kedge({"recover", "discard", "before-it", "--confirm", "before-it"}).exit.ok());
}

TEST_F(Rollback, BringsBackWhatRanBeforeWhenTheReleaseIsNotHealthy) {
    const RunOutput bad = start(back_to_release("1.1.1"));
    EXPECT_FALSE(bad.exit.ok());
    EXPECT_THAT(bad.out + bad.err, HasSubstr("release 1.1.1 has a fault"));
    EXPECT_EQ(application(), everywhere_1_2_0);
}

TEST_F(Rollback, HealsAnApplicationWhoseReleaseHasAFaultAndOfWhichAnInstanceIsGone) {
    for (const char* region : {east_region, west_region}) ASSERT_TRUE(deploy(region, "1.1.1"));
    ASSERT_THAT(application(), HasSubstr("1.1.1 degraded"));
    std::string gone;
    for (const Place& place : places())
        if (place.kind == Kind::application && place.site == Site::west) gone = place.name;
    ASSERT_TRUE(SupervisorClient(world_->lab().layout().root).stop(gone, kedge::within(30s)));
    ASSERT_THAT(application(), HasSubstr("? silent"));

    const RunOutput back = start(back_to_release("1.1.0"));
    EXPECT_TRUE(back.exit.ok()) << back.out << back.err;
    EXPECT_EQ(application(), everywhere_1_1_0);
}

TEST_F(Rollback, WaitsForNoLockForLongAndTakesMaintenanceModeBack) {
    for (const char* region : {east_region, west_region}) ASSERT_TRUE(deploy(region, "1.1.0"));
    take_lock();
    const RunOutput refused = start(back_to_version("2"));
    EXPECT_FALSE(refused.exit.ok());
    EXPECT_THAT(refused.out + refused.err, HasSubstr("canceling statement due to lock timeout"));
    EXPECT_EQ(version(), "3") << "nothing is half done";
    EXPECT_EQ(locale(), "de");
    EXPECT_EQ(maintenance(), "off off off off");
    give_lock_up();
    const RunOutput again = start(back_to_version("2"));
    EXPECT_TRUE(again.exit.ok()) << again.out << again.err;
    EXPECT_EQ(version(), "2");
}

TEST_F(Rollback, DropsNothingFromASchemaThatIsNotWhatItSays) {
    for (const char* region : {east_region, west_region}) ASSERT_TRUE(deploy(region, "1.1.0"));
    world_->sql(east, "ALTER TABLE debates DROP COLUMN language");
    const RunOutput refused = start(back_to_version("2"));
    EXPECT_FALSE(refused.exit.ok());
    EXPECT_THAT(refused.out + refused.err, HasSubstr("debates.language is missing, and the version is 3"));
    EXPECT_EQ(locale(), "de");
    EXPECT_EQ(maintenance(), "off off off off");
    world_->sql(east, "ALTER TABLE debates ADD COLUMN language text");
    world_->sql(east, "CREATE INDEX debates_language ON debates (language)");
}

// The server goes on with what the program of a killed controller had sent, or rolls it back: either way the next
// controller finds out which.
TEST_F(Rollback, GoesOnAfterItsControllerWasKilledWhileTheMigrationWaitsForALock) {
    for (const char* region : {east_region, west_region}) ASSERT_TRUE(deploy(region, "1.1.0"));
    take_lock();
    Child controller = world_->start_kedge(back_to_version("2", "60s")).value();
    ASSERT_TRUE(wait_for("the migration to wait", kedge::within(60s), []() -> Result<bool> {
        return world_->sql(east,
                           "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE "
                           "'ALTER TABLE users%'") == "1";
    }));
    controller.kill_and_reap();
    EXPECT_EQ(maintenance(), "refuse refuse refuse refuse");
    give_lock_up();
    const RunOutput resumed = world_->kedge({"run", "resume", world_->runs().back(), "--play-people"}, run_limit);
    EXPECT_TRUE(resumed.exit.ok()) << resumed.out << resumed.err;
    EXPECT_EQ(version(), "2");
    EXPECT_FALSE(has_column("users", "locale"));
    EXPECT_EQ(maintenance(), "off off off off");
}

TEST_F(Rollback, EndsTheSameWhereverItsControllerIsKilled) {
    const auto expect_success = [](const Killed& killed) {
        ASSERT_EQ(killed.trouble, "");
        EXPECT_GE(killed.boundaries.size(), 6U);
        const Result<LoadedRun> run = world_->load(killed.run);
        ASSERT_TRUE(run);
        EXPECT_EQ(run->state.result(), RunResult::succeeded) << run->state.phase_says();
        EXPECT_TRUE(run->state.obligations().empty());
        EXPECT_TRUE(world_->kedge({"journal", "verify"}).exit.ok());
    };
    const KillOptions options{.stride = 3, .kills_max = 14, .limit = run_limit};
    expect_success(run_with_kills(*world_, back_to_release("1.1.0"), options));
    EXPECT_EQ(application(), everywhere_1_1_0);
    expect_success(run_with_kills(*world_, back_to_version("2"), options));
    EXPECT_EQ(version(), "2");
    EXPECT_EQ(application(), everywhere_1_1_0);
    EXPECT_EQ(maintenance(), "off off off off");
}

// The last one: what it breaks stays broken.
TEST_F(Rollback, GoesBackWhereUsersAreWhileTheOtherRegionIsGone) {
    ASSERT_EQ(world_->weights(), "100/0");
    const RunOutput refused = start(back_to_release("1.1.0", west_region, east_region, "gone"));
    EXPECT_FALSE(refused.exit.ok()) << "users are sent to what would not get it";
    EXPECT_EQ(application(), everywhere_1_2_0);

    ASSERT_TRUE(world_->tell_lab({"break", "region-killed", west_region}).exit.ok());
    const RunOutput back = start(back_to_release("1.1.0", east_region, west_region, "gone"));
    EXPECT_TRUE(back.exit.ok()) << back.out << back.err;
    EXPECT_EQ(application(), "1.1.0 healthy, 1.1.0 healthy, ? silent, ? silent");
}

}  // namespace
}  // namespace kedge::lab
