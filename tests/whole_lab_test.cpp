// A whole lab, started, broken in every way, healed, killed outright and removed, by the program that people use; what
// the faults do is seen from outside through the lab's own addresses.
//
// The tests share one lab and run in their order: each leaves it healed, the last one leaves nothing.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "lab/breaker.h"
#include "lab/leftovers.h"
#include "lab/observe.h"
#include "os/files.h"
#include "os/process.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr const char* east = "postgres-us-east-1";
constexpr const char* west = "postgres-us-west-2";

Until soon() {
    return kedge::within(30s);
}

class WholeLab : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const RunOutput up = tell({"up"});
        ASSERT_TRUE(up.exit.ok()) << up.out << up.err;
    }
    static void TearDownTestSuite() { EXPECT_TRUE(tell({"down"}).exit.ok()); }

    void SetUp() override {
        if (!lab().status(soon())) GTEST_SKIP() << "the lab did not come up";
    }

    static Lab lab() { return *Lab::named("test"); }
    static RunOutput tell(Arguments words) {
        Arguments arguments = {KEDGE_LAB_PROGRAM, "--name", "test"};
        arguments.insert(arguments.end(), words.begin(), words.end());
        const Result<RunOutput> output = run(arguments, kedge::within(120s));
        if (!output) return {.exit = {.code = 99}, .out = {}, .err = output.error().message};
        return *output;
    }
    static void inject(Arguments words) {
        words.insert(words.begin(), "break");
        const RunOutput output = tell(words);
        ASSERT_TRUE(output.exit.ok()) << output.err;
    }
    static std::string heal(Arguments words) {
        words.insert(words.begin(), "heal");
        const RunOutput output = tell(words);
        EXPECT_TRUE(output.exit.ok()) << output.err;
        return output.out;
    }

    // Whether a caller at `source` gets an answer from the Redis server `name` through the relay.
    static bool reaches(const std::string& source, std::string_view name) {
        const Until until = kedge::within(1500ms);
        Result<Stream> stream = Stream::connect(find_place(name)->via_relay(), until, source);
        if (!stream || !stream->write_all("PING\r\n", until)) return false;
        return stream->read_line(until).value_or("") == "+PONG";
    }
    static std::string sql(const char* server, const std::string& query) {
        const Result<std::string> answer = ask_postgres(lab().layout(), *find_place(server), "aragora", query, soon());
        return answer ? *answer : "error: " + answer.error().message;
    }
    static void await(const std::string& what, const std::function<bool()>& holds) {
        const Result<void> there = wait_for(what, soon(), [&]() -> Result<bool> { return holds(); });
        ASSERT_TRUE(there) << there.error().message;
    }
    static std::string role(const char* name) { return role_of(lab().layout(), *find_place(name), soon()); }
};

TEST_F(WholeLab, IsComplete) {
    const Result<LabStatus> status = lab().status(soon());
    ASSERT_TRUE(status);
    EXPECT_EQ(status->lines.size(), places().size());
    for (const LabStatus::Line& line : status->lines) {
        EXPECT_EQ(line.component.phase, Phase::running) << line.component.name;
        EXPECT_NE(line.role, "unknown") << line.component.name;
    }
    EXPECT_EQ(role(east), "primary");
    EXPECT_EQ(role(west), "standby");
    EXPECT_EQ(role("redis-us-east-1"), "master");
    EXPECT_EQ(role("redis-us-west-2"), "replica");
    EXPECT_EQ(sql(east, "show data_checksums"), "on");
    EXPECT_EQ(sql(east, "show fsync"), "on");
    EXPECT_EQ(sql(west, "show fsync"), "on");
    EXPECT_GT(std::stoi(sql(east, "select count(*) from users")), 0);
    EXPECT_TRUE(reaches("127.0.13.9", "redis-us-east-1"));
    struct stat directory {};
    ASSERT_EQ(stat(lab().layout().root.c_str(), &directory), 0);
    EXPECT_EQ(directory.st_mode & 0007U, 0U) << "nobody else may look in";
    EXPECT_EQ(directory.st_uid, geteuid());
    if (geteuid() == 0) {
        const Result<RunOutput> replaced = run({"mv", lab().layout().programs(), lab().layout().root + "/elsewhere"},
                                               soon(), {.login = lab().name().login});
        EXPECT_FALSE(replaced->exit.ok()) << "root runs these programs, too";
    }
}

TEST_F(WholeLab, RunsOnce) {
    const RunOutput again = tell({"up"});
    EXPECT_FALSE(again.exit.ok());
    EXPECT_NE(again.err.find("the lab 'test' runs"), std::string::npos) << again.err;
    const Result<RunOutput> other = run({KEDGE_LAB_PROGRAM, "--name", "test-two", "up"}, kedge::within(60s));
    ASSERT_TRUE(other);
    EXPECT_NE(other->err.find("is taken by process"), std::string::npos) << other->err;
    EXPECT_FALSE(exists(Lab::named("test-two")->layout().root));
    EXPECT_TRUE(lab().status(soon()));
}

TEST_F(WholeLab, APartitionSeparatesTheRegionsAndNobodyElse) {
    inject({"partition"});
    EXPECT_FALSE(reaches("127.0.11.9", "redis-us-west-2"));
    EXPECT_FALSE(reaches("127.0.12.9", "redis-us-east-1"));
    EXPECT_TRUE(reaches("127.0.13.9", "redis-us-east-1"));
    EXPECT_TRUE(reaches("127.0.13.9", "redis-us-west-2"));
    EXPECT_TRUE(reaches("127.0.11.9", "redis-us-east-1"));
    EXPECT_FALSE(tell({"break", "partition"}).exit.ok()) << "it is active already";
    heal({"partition"});
    EXPECT_TRUE(reaches("127.0.11.9", "redis-us-west-2"));
    await("replication to go on", [] { return sql(east, "select count(*) from pg_stat_replication") == "1"; });
}

TEST_F(WholeLab, ASilentRegionLives) {
    inject({"region-silent", "us-west-2"});
    EXPECT_FALSE(reaches("127.0.13.9", "redis-us-west-2"));
    EXPECT_TRUE(reaches("127.0.12.9", "redis-us-west-2"));
    EXPECT_TRUE(exists(lab().layout().store_barrier(Site::west)));
    EXPECT_EQ(role(west), "standby");
    heal({"region-silent", "us-west-2"});
    EXPECT_TRUE(reaches("127.0.13.9", "redis-us-west-2"));
    EXPECT_FALSE(exists(lab().layout().store_barrier(Site::west)));
}

TEST_F(WholeLab, OneComponentCanBeCutPausedAndKilled) {
    inject({"cut", "redis-us-west-2"});
    EXPECT_FALSE(reaches("127.0.13.9", "redis-us-west-2"));
    inject({"pause", "app-us-west-2-a"});
    inject({"kill", "app-us-west-2-b"});
    EXPECT_EQ(role("app-us-west-2-b"), "unknown");
    heal({"all"});
    EXPECT_TRUE(reaches("127.0.13.9", "redis-us-west-2"));
    await("the applications to serve", [] {
        return is_up_at_entrance(lab().layout(), "us-west-2-a", soon()).value_or(false) &&
               is_up_at_entrance(lab().layout(), "us-west-2-b", soon()).value_or(false);
    });
}

TEST_F(WholeLab, ReplayLagsAndCatchesUp) {
    inject({"replay-lag", west});
    EXPECT_EQ(sql(east, "create table lagging as select 1 as one; select one from lagging"), "1");
    EXPECT_FALSE(tell({"break", "replay-lag", east}).exit.ok()) << "a primary replays nothing";
    const std::string seen = "select count(*) from pg_class where relname = 'lagging'";
    await("the standby to receive it",
          [] { return sql(west, "select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()") == "t"; });
    EXPECT_EQ(sql(west, seen), "0");
    heal({"replay-lag", west});
    await("the standby to replay it", [&] { return sql(west, seen) == "1"; });
}

TEST_F(WholeLab, AFullArchiveFailsUntilThereIsRoom) {
    inject({"archive-full"});
    const std::string failed = sql(east, "select failed_count from pg_stat_archiver");
    sql(east, "create table archived(); select pg_switch_wal()");
    await("the archiver to fail", [&] { return sql(east, "select failed_count from pg_stat_archiver") != failed; });
    const std::string segment = sql(east, "select last_failed_wal from pg_stat_archiver");
    heal({"archive-full"});
    sql(east, "create table archived_later(); select pg_switch_wal()");
    await("the archive to take it", [&] { return exists(lab().layout().wal_store() + "/" + segment); });
}

TEST_F(WholeLab, ASlowDiskSlowsCommits) {
    const SystemClock clock;
    const Result<FaultReport> report = Breaker(lab()).inject(*parse_lab_fault({"slow-disk", east, "400ms"}), soon());
    if (!report) GTEST_SKIP() << report.error().message;
    const Moment start = clock.now();
    sql(east, "create table slowly as select 1");
    EXPECT_GE(clock.now() - start, 400ms);
    heal({"all"});
}

TEST_F(WholeLab, AKilledRegionIsGoneAndComesBack) {
    inject({"region-killed", "us-west-2"});
    const Result<LabStatus> status = lab().status(soon());
    ASSERT_TRUE(status);
    for (const LabStatus::Line& line : status->lines)
        EXPECT_EQ(line.component.processes == 0, line.component.site == "us-west-2") << line.component.name;
    Result<Stream> stream = Stream::connect(find_place("redis-us-west-2")->via_relay(), soon(), "127.0.13.9");
    ASSERT_TRUE(stream) << "a dead region is silent, not refused";
    EXPECT_FALSE(stream->read_line(kedge::within(200ms)));
    EXPECT_FALSE(lab().supervisor().start(west, soon())) << "nothing of a dead region can be started";
    heal({"region-killed", "us-west-2"});
    await("replication to go on", [] { return sql(east, "select count(*) from pg_stat_replication") == "1"; });
}

TEST_F(WholeLab, AnOldPrimaryComesBackWritableUnlessItIsFenced) {
    inject({"region-killed", "us-east-1"});
    EXPECT_EQ(sql(west, "select pg_promote()"), "t");
    EXPECT_FALSE(tell({"break", "old-primary-returns", east}).exit.ok()) << "its region is dead";
    EXPECT_NE(heal({"region-killed", "us-east-1"}).find("left down"), std::string::npos);
    inject({"old-primary-returns", east});
    EXPECT_EQ(role(east), "primary");
    EXPECT_EQ(role(west), "primary");
    EXPECT_EQ(lab().supervisor().raise_fence(east, soon())->fenced, Truth::yes);
    heal({"old-primary-returns", east});
    EXPECT_FALSE(tell({"break", "old-primary-returns", east}).exit.ok());
    EXPECT_EQ(role(east), "unknown");
    EXPECT_EQ(role(west), "primary");
}

// The state in which a kill -9 of everything leaves it: files, orphans, shared memory, and no supervisor.
TEST_F(WholeLab, ADeadLabIsClearedByTheNextOne) {
    const Json state = *parse_json(*read_file(lab().layout().state()));
    const Result<SupervisorStatus> status = lab().supervisor().status(soon());
    const Result<ProcessHandle> postmaster = ProcessHandle::open(status->components[2].first.value());
    ASSERT_TRUE(postmaster) << postmaster.error().message;
    ASSERT_EQ(kill(static_cast<pid_t>(state["supervisor"]["pid"].get<int>()), SIGKILL), 0);
    await("the first processes to follow", [&] { return postmaster->has_ended(); });
    EXPECT_TRUE(exists(lab().layout().root));
    const RunOutput up = tell({"up"});
    ASSERT_TRUE(up.exit.ok()) << up.err;
    EXPECT_EQ(role(east), "primary");
    EXPECT_EQ(role(west), "standby");
}

TEST_F(WholeLab, DownLeavesNothing) {
    const Result<SupervisorStatus> status = lab().supervisor().status(soon());
    std::set<pid_t> owners;
    for (const ComponentStatus& one : status->components)
        if (one.first) owners.insert(one.first->pid);
    const std::string root = lab().layout().root;
    // As if everything had been killed by hand, the supervisor first.
    const Json state = *parse_json(*read_file(lab().layout().state()));
    kill(static_cast<pid_t>(state["supervisor"]["pid"].get<int>()), SIGKILL);
    for (const pid_t pid : owners) kill(pid, SIGKILL);
    const RunOutput down = tell({"down"});
    ASSERT_TRUE(down.exit.ok()) << down.err;
    EXPECT_FALSE(exists(root));
    const Result<void> free_addresses = refuse_taken_addresses();
    EXPECT_TRUE(free_addresses) << free_addresses.error().message;
    for (const Process& process : processes_of(lab().name().owner()).value_or({})) {
        EXPECT_FALSE(process.marker.starts_with(root)) << process.id.pid;
        EXPECT_FALSE(process.directory.starts_with(root)) << process.id.pid;
    }
    EXPECT_EQ(remove_shared_memory(owners, lab().name().owner()), 0) << "shared memory was left";
    EXPECT_TRUE(tell({"down"}).exit.ok()) << "nothing to take down is no error";
}

}  // namespace
}  // namespace kedge::lab
