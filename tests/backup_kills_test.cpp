// `kedge backup create` is killed by SIGKILL in its middle, on a real server: while the server still sends a base
// backup, and after a dump is written but before it is read back. What is left bears no backup's name, counts for
// nothing, keeps nothing open at the server, and goes with the next backup or with `prune`.
//
// Programs of PostgreSQL are reached through the estate's `bin-directory`: there stand scripts that make them slow, so
// that the middle lasts as long as the test needs it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "base/json.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr Span patience = 60s, look_again = 20ms;

bool await(const std::function<bool()>& condition) {
    for (const Moment deadline = SystemClock{}.now() + patience; SystemClock{}.now() < deadline;) {
        if (condition()) return true;
        wait_out(within(look_again));
    }
    return condition();
}

class KilledWorld : public World {
public:
    KilledWorld() {
        for (const std::string name : {"psql", "pg_dump", "pg_dumpall", "pg_basebackup"})
            directory.run({"install", "-D", "-m", "755", "/dev/null", programs + "/" + name});
        let_all_be_usual();
        text.replace(text.find("database: postgres"), 18, "database: postgres\n    bin-directory: " + programs);
        check(write_file_atomically(estate_file, text).has_value(), "the estate of the test can be written");
        server->sql("CREATE TABLE filler AS SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 20000) g");
    }

    void let_all_be_usual() const {
        for (const std::string name : {"psql", "pg_dump", "pg_dumpall", "pg_basebackup"}) let(name, "");
    }
    // The program, with `more` before its arguments.
    void let(const std::string& name, const std::string& more) const {
        directory.run({"tee", programs + "/" + name},
                      fmt::format("#!/bin/sh\nexec {}/{} {} \"$@\"\n", scratch_bin_directory, name, more));
    }
    void let_hang(const std::string& name) const {
        directory.run({"tee", programs + "/" + name}, "#!/bin/sh\nexec tail -f /dev/null\n");
    }

    Arguments kedge(Arguments words) const {
        words.insert(words.begin(), KEDGE_PROGRAM);
        words.insert(words.end(), {"--state", state});
        if (words[1] == "backup") words.insert(words.end(), {"--estate", estate_file});
        return words;
    }
    RunOutput run(const Arguments& words) const { return kedge::run(kedge(words), within(5min)).value(); }
    Json item(Arguments words) const {
        words.push_back("--json");
        return parse_json(run(words).out).value()["items"][0];
    }
    // Starts `kedge backup create`, and kills it, and nothing else, as soon as `in_the_middle` says so.
    void kill_create(const std::string& policy, const std::function<bool()>& in_the_middle) const {
        Child child = Child::spawn(kedge({"backup", "create", policy, "--quiet"}), {}).value();
        ASSERT_TRUE(await(in_the_middle)) << "it came into its middle";
        ASSERT_FALSE(child.wait(within(Span{}))) << "it was still at work";
        ASSERT_EQ(::kill(child.pid(), SIGKILL), 0);
        const std::optional<Exit> exit = child.wait(within(patience));
        ASSERT_TRUE(exit && exit->signal == SIGKILL);
    }
    std::vector<std::string> names_in(const std::string& below) const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(store + "/" + below)) names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
    // What a backup has open at the server: sessions, what they send, slots. Empty in the end.
    std::string open_at_server() const {
        const auto open = [&] {
            return server->sql(
                "SELECT coalesce(string_agg(what, '; '), '') FROM ("
                "SELECT concat_ws(' ', backend_type, application_name, state, wait_event) AS what FROM pg_stat_activity"
                " WHERE application_name ~ '^pg_' OR backend_type = 'walsender'"
                " UNION ALL SELECT 'base backup: ' || phase FROM pg_stat_progress_basebackup"
                " UNION ALL SELECT 'slot: ' || slot_name FROM pg_replication_slots) x");
        };
        await([&] { return open().empty(); });
        return open();
    }
    // What is left counts for nothing, wherever it is asked for.
    void expect_nothing_counts(const std::string& policy) const {
        const RunOutput listed = run({"backup", "list", policy});
        EXPECT_EQ(listed.exit.code, 15) << listed.out;
        EXPECT_THAT(listed.out, HasSubstr("not finished"));
        const Json inventory = item({"backup", "list", policy});
        EXPECT_THAT(inventory["backups"], IsEmpty());
        EXPECT_GE(inventory["unfinished"].size(), 1u);
        const RunOutput verified = run({"backup", "verify", policy});
        EXPECT_EQ(verified.exit.code, 15);
        EXPECT_THAT(verified.out, HasSubstr("there is no backup"));
    }

    const std::string programs = directory.path() + "/programs", state = directory.path() + "/state",
                      estate_file = directory.path() + "/estate.yaml";
};

TEST(KilledBackup, BaseBackupIsNoneAndTheServerIsFree) {
    const KilledWorld world;
    world.let("pg_basebackup", "--max-rate=1M");
    const auto sends = [&] {
        return world.server->sql("SELECT count(*) FROM pg_stat_progress_basebackup WHERE backup_streamed > 1000000") ==
               "1";
    };
    ASSERT_NO_FATAL_FAILURE(world.kill_create("images", sends));
    EXPECT_EQ(world.open_at_server(), "") << "no backup mode, no walsender and no slot is left";
    ASSERT_THAT(world.names_in("base"), SizeIs(1));
    EXPECT_THAT(world.names_in("base").front(), StartsWith(std::string(unfinished_prefix)));
    world.expect_nothing_counts("images");
    const RunOutput looked = world.run({"verify", world.store + "/base/" + world.names_in("base").front()});
    EXPECT_EQ(looked.exit.code, 15) << "by itself it is told as damaged\n" << looked.out;

    EXPECT_EQ(world.run({"backup", "prune", "images", "--dry-run"}).exit.code, 0);
    EXPECT_THAT(world.names_in("base"), SizeIs(1)) << "a dry run removes nothing";
    const RunOutput pruned = world.run({"backup", "prune", "images", "--confirm", "images"});
    EXPECT_EQ(pruned.exit.code, 0) << pruned.err;
    EXPECT_THAT(world.names_in("base"), IsEmpty());

    ASSERT_NO_FATAL_FAILURE(world.kill_create("images", sends));
    world.let_all_be_usual();
    const RunOutput created = world.run({"backup", "create", "images"});
    EXPECT_EQ(created.exit.code, 0) << created.err;
    EXPECT_THAT(world.names_in("base"), SizeIs(3)) << "the backup, its manifest and that one's digest; no rest";
    EXPECT_EQ(world.run({"backup", "list", "images"}).exit.code, 16) << "there is one, never judged";
    EXPECT_EQ(world.open_at_server(), "");
}

TEST(KilledBackup, DumpThatWasNotReadBackIsNone) {
    const KilledWorld world;
    world.let_hang("pg_dumpall");
    ASSERT_NO_FATAL_FAILURE(world.kill_create("nightly", [&] {
        std::error_code failed;
        return fs::exists(world.store + "/dumps", failed) && world.names_in("dumps").size() == 2;
    }));
    EXPECT_EQ(world.open_at_server(), "");
    world.expect_nothing_counts("nightly");
    world.let_all_be_usual();
    const RunOutput created = world.run({"backup", "create", "nightly"});
    EXPECT_EQ(created.exit.code, 0) << created.err;
    EXPECT_THAT(world.names_in("dumps"), SizeIs(4)) << "the dump, its globals, the manifest and its digest";
    EXPECT_THAT(world.item({"backup", "list", "nightly"})["unfinished"], IsEmpty());
}

}  // namespace
}  // namespace kedge::backup
