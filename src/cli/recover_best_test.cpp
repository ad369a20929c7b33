// recover best: a real database with a base backup, its log and a dump.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "cli/cli_world.h"

namespace kedge {
namespace {

using testing::HasSubstr;

class BackedUpWorld : public CliWorld {
public:
    BackedUpWorld() {
        write("plans/estate.yaml", backups.text);
        check(run("backup create images").code == 0, "a base backup is taken");
        check(run("backup create nightly").code == 0, "a dump is taken");
        backups.server->sql("INSERT INTO notes VALUES (1)");
        backups.archive();
    }
    ~BackedUpWorld() { std::filesystem::remove_all(place); }
    Json choice(const std::string& line) const { return run(line + " --json").json()["item"]["choice"]; }

    backup::World backups;
    const std::string place = backups.directory.path() + "-recovered";
};

TEST(RecoverBest, SaysWhatEachWouldGiveAndMakesTheBetter) {
    BackedUpWorld world;
    const Json both = world.choice("recover best --to latest --dry-run");
    ASSERT_EQ(both["offers"].size(), 2U) << both;
    for (const Json& offer : both["offers"]) EXPECT_EQ(offer["possible"], true) << offer;
    EXPECT_GT(both["offers"][0]["until"], both["offers"][1]["until"]) << "the log goes on behind the dump";

    const Outcome made = world.run("recover best --to latest --name copy --place " + world.place);
    EXPECT_EQ(made.code, 0) << made.out << made.errors;
    EXPECT_THAT(made.out, HasSubstr("better"));
    EXPECT_THAT(made.out, HasSubstr("copy is recovered"));
    EXPECT_EQ(world.run("recover discard copy --confirm copy").code, 0);
}

TEST(RecoverBest, TakesTheDumpWhereTheLogIsBroken) {
    BackedUpWorld world;
    for (const auto& file : std::filesystem::directory_iterator(world.backups.store + "/wal"))
        std::filesystem::remove(file.path());
    std::filesystem::remove_all(world.backups.store + "/base");
    const Json choice = world.choice("recover best --to latest --name copy --place " + world.place);
    EXPECT_EQ(choice["from"], "a dump") << choice;
    EXPECT_EQ(world.run("recover show copy").code, 0);
    EXPECT_EQ(world.run("recover discard copy --confirm copy").code, 0);
}

TEST(RecoverBest, OfAMomentBeforeEveryBackupIsANo) {
    BackedUpWorld world;
    const Outcome no = world.run("recover best --to 2020-01-01T00:00:00Z --name copy --place " + world.place);
    EXPECT_EQ(no.code, 15) << no.errors;
    EXPECT_THAT(no.out, HasSubstr("does not serve"));
    EXPECT_EQ(world.run("recover show copy").code, 4) << "nothing was made";
    EXPECT_EQ(world.run("recover best --to xid:4711").code, 2) << "a dump knows no transactions";
    EXPECT_EQ(world.run("recover best").code, 2);
}

}  // namespace
}  // namespace kedge
