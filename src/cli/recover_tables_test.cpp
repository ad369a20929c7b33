// recover compare, extract: a real database damaged, recovered beside, compared and mended from there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/scratch_estate.h"
#include "cli/cli_world.h"
#include "os/files.h"
#include "recover/recovery.h"

namespace kedge {
namespace {

using testing::HasSubstr;

class RecoveredWorld : public CliWorld {
public:
    RecoveredWorld() {
        write("plans/estate.yaml", backups.text);
        backups.server->sql("ALTER TABLE orders ADD COLUMN note text DEFAULT 'as it was'");
        backups.server->sql("CREATE TABLE lines (id int PRIMARY KEY, of int REFERENCES orders)");
        backups.server->sql("INSERT INTO lines SELECT n, n FROM generate_series(1, 1000) AS n");
        check(run("backup create images").code == 0, "a base backup is taken");
        backups.server->sql("INSERT INTO notes VALUES (1)");
        backups.archive();
        recover("before");
    }
    ~RecoveredWorld() {
        check(run("recover discard before --confirm before").code == 0, "the recovery is discarded");
        std::filesystem::remove_all(place);
    }
    void recover(const std::string& name) {
        const Outcome made = run("recover pitr --to latest --name " + name + " --place " + place);
        check(made.code == 0, made.out + made.errors);
    }
    std::string live(const std::string& sql) const { return backups.server->sql(sql); }
    Json item(const std::string& line) const { return run(line + " --json").json()["item"]; }

    backup::World backups;
    const std::string place = backups.directory.path() + "-recovered";
};

TEST(RecoverPromote, NothingMovesUnlessItIsSaidWhereConfirmedAndFenced) {
    RecoveredWorld world;
    EXPECT_EQ(world.run("recover promote before --confirm before").code, 2) << "where is not said";
    EXPECT_EQ(world.run("recover promote before --in west --confirm before").code, 4);
    EXPECT_EQ(world.run("recover promote other --in east --confirm other").code, 4);
    EXPECT_EQ(world.run("recover put-back before --in east --confirm before").code, 7) << "it stands beside already";
    const Outcome could = world.run("recover promote before --in east --dry-run");
    EXPECT_EQ(could.code, 0) << could.errors;
    EXPECT_THAT(could.out, HasSubstr("before could take the place of db@east"));
    EXPECT_EQ(world.run("recover promote before --in east --prepare").code, 7) << "not without a confirmation";

    const Outcome prepared = world.run("recover promote before --in east --prepare --confirm before");
    EXPECT_EQ(prepared.code, 0) << prepared.errors;
    EXPECT_THAT(world.run("recover show before").out, HasSubstr("before is prepared"));
    EXPECT_EQ(world.run("recover compare before").code, 7) << "it is stopped";
    EXPECT_EQ(world.run("recover pitr --to latest --name before --place " + world.place).code, 6);
    const Outcome unfenced = world.run("recover promote before --confirm before");
    EXPECT_EQ(unfenced.code, 7) << "where is known by now, but nothing proves that production cannot write";
    EXPECT_THAT(unfenced.errors, HasSubstr("not proved to be unable to write"));
    EXPECT_EQ(world.live("SELECT count(*) FROM orders"), "1000");

    EXPECT_EQ(world.run("recover put-back before").code, 7) << "not without a confirmation";
    EXPECT_EQ(world.run("recover put-back before --confirm before").code, 0);
    EXPECT_EQ(world.run("recover compare before").code, 0) << "it stands beside production again";
}

TEST(RecoverExchange, WhatIsInAServerThatIsGoneNeedNotBeRemovedFromIt) {
    RecoveredWorld world;
    // Every server has one; those of tests are made without.
    world.live("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false");
    const Outcome loaded = world.run("recover exchange before --in east --load --confirm before");
    ASSERT_EQ(loaded.code, 0) << loaded.out << loaded.errors;
    EXPECT_EQ(world.live("SELECT count(*) FROM pg_database WHERE datname = 'postgres_from_before'"), "1");
    world.backups.server->stop();
    const Outcome refused = world.run("recover discard before --confirm before");
    EXPECT_EQ(refused.code, 1) << refused.errors;
    EXPECT_THAT(refused.errors, HasSubstr("--leave-loaded"));
    const Outcome gone = world.run("recover discard before --confirm before --leave-loaded");
    EXPECT_EQ(gone.code, 0) << gone.errors;
    EXPECT_THAT(gone.errors, HasSubstr("postgres_from_before or postgres_before_before, stays there"));
    EXPECT_EQ(world.run("recover show before").code, 4);
    world.backups.server->start();
    EXPECT_EQ(world.live("SELECT count(*) FROM pg_database WHERE datname = 'postgres_from_before'"), "1");
    world.recover("before");
}

TEST(RecoverTables, WhatWasDamagedIsFoundAndBroughtBack) {
    RecoveredWorld world;
    const Outcome same = world.run("recover compare before");
    EXPECT_EQ(same.code, 0) << same.out << same.errors;
    EXPECT_THAT(same.out, HasSubstr("3 tables the same; compared with the primary in east"));

    world.live("DELETE FROM lines WHERE id > 990");
    world.live("DELETE FROM orders WHERE id > 995");
    world.live("UPDATE orders SET note = 'damaged' WHERE id <= 3");
    const Outcome differs = world.run("recover compare before --table orders --keys 2");
    EXPECT_EQ(differs.code, 15);
    EXPECT_THAT(differs.out, HasSubstr("public.orders changed (id): 1 2 ..."));
    const Json compared = world.item("recover compare before");
    EXPECT_EQ(compared["equal"], false);
    EXPECT_EQ(compared["tables"][0]["name"], "public.lines");
    EXPECT_EQ(compared["tables"][0]["only_recovered"]["rows"], 10);

    const Outcome conflicts = world.run("recover extract before --table orders --dry-run");
    EXPECT_EQ(conflicts.code, 7);
    EXPECT_THAT(conflicts.out, HasSubstr("public.orders: live has other content in 1 2 3"));
    const Outcome preview = world.run("recover extract before --table lines --dry-run");
    EXPECT_EQ(preview.code, 0) << preview.errors;
    EXPECT_THAT(preview.out, HasSubstr("15 rows would be brought back; nothing was changed"));
    EXPECT_EQ(world.run("recover extract before --table lines").code, 7) << "not without a confirmation";
    EXPECT_EQ(world.run("recover extract before --table lines --confirm other").code, 7);
    EXPECT_EQ(world.live("SELECT count(*) FROM lines"), "990");

    const Outcome done = world.run("recover extract before --table lines --confirm before");
    EXPECT_EQ(done.code, 0) << done.errors;
    EXPECT_THAT(done.out, HasSubstr("15 rows brought back in transaction "));
    const Json replaced = world.item("recover extract before --table orders --on-conflict replace --confirm before");
    EXPECT_EQ(replaced["end"], "committed");
    EXPECT_EQ(replaced["tables"][0]["replaced"], 3);
    EXPECT_EQ(world.run("recover compare before").code, 0);
}

TEST(RecoverTables, APersonIsAskedWithTheNumbersBeforeThem) {
    RecoveredWorld world;
    world.live("DELETE FROM lines WHERE id = 7");
    world.terminal = true;
    world.typed = "no\n";
    EXPECT_EQ(world.run("recover extract before --table lines").code, 7);
    world.typed = "before\n";
    const Outcome done = world.run({"recover", "extract", "before", "--table", "lines", "--where", "id < 10"});
    EXPECT_EQ(done.code, 0) << done.errors;
    EXPECT_LT(done.out.find("1 row would be brought back"), done.out.find("1 row brought back in transaction"));
    EXPECT_EQ(world.live("SELECT count(*) FROM lines"), "1000");
}

TEST(RecoverTables, WhatIsNotArmedIsOnlyLookedAt) {
    const RecoveredWorld world;
    std::string unarmed = world.backups.text;
    unarmed.replace(unarmed.find("armed: true"), std::string("armed: true").size(), "armed: false");
    world.write("plans/estate.yaml", unarmed);
    world.live("DELETE FROM lines WHERE id = 7");
    EXPECT_EQ(world.run("recover extract before --table lines --dry-run").code, 0);
    const Outcome could = world.run("recover exchange before --dry-run");
    EXPECT_EQ(could.code, 0);
    EXPECT_THAT(could.out, HasSubstr("could take the place of postgres of db@east, which would be kept as "
                                     "postgres_before_before"));
    for (const char* line :
         {"extract before --table lines --confirm before", "exchange before --confirm before",
          "promote before --in east --prepare --confirm before", "put-back before --confirm before"}) {
        const Outcome refused = world.run(std::string("recover ") + line);
        EXPECT_EQ(refused.code, 7) << line;
        EXPECT_THAT(refused.errors, HasSubstr("not armed, so Kedge only looks at: db")) << line;
    }
    EXPECT_EQ(world.live("SELECT count(*) FROM lines"), "999");
}

TEST(RecoverTables, WhatIsWrongHasItsCode) {
    const RecoveredWorld world;
    EXPECT_EQ(world.run("recover compare nowhere").code, 4);
    EXPECT_EQ(world.run("recover erase nowhere").code, 4);
    EXPECT_EQ(world.run("recover pitr --to latest --name tried --dry-run --place " + world.place).code, 0);
    for (const char* name : {"nowhere", "tried"})
        EXPECT_FALSE(exists(fmt::format("{}/state/recoveries/{}.lock", world.directory, name))) << name;
    EXPECT_EQ(world.run("recover compare before --table nowhere").code, 4);
    EXPECT_EQ(world.run("recover extract before").code, 2) << "--table is missing";
    EXPECT_EQ(world.run("recover extract before --table a --table b --where true").code, 2);
    EXPECT_EQ(world.run("recover extract before --table orders --where nothing --dry-run").code, 3);
    {
        const auto lock = recover::lock_recovery(world.directory + "/state", "before");
        ASSERT_TRUE(lock);
        EXPECT_EQ(world.run("recover compare before").code, 6) << "somebody works with it";
    }
    world.backups.server->stop();
    EXPECT_EQ(world.run("recover compare before").code, 1);
    EXPECT_EQ(world.run("recover extract before --table orders --confirm before").code, 1);
    world.backups.server->start();
}

}  // namespace
}  // namespace kedge
