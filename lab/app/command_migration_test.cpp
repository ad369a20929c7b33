// The driver `command` with this application's own migrations, on a real server.
#include "targets/command/command_migration.h"

#include <gmock/gmock.h>

#include "init.h"
#include "migrations.h"
#include "os/clock.h"
#include "releases.h"
#include "targets/migration_contract.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class CommandWorld final : public MigrationWorld {
public:
    CommandWorld() {
        server_->start();
        check(initialise_database(server_->conninfo(), "probe password", after(30s)).has_value(),
              "the lab's tables can be loaded");
        check(move_schema(server_->conninfo(), newest_schema, after(30s)).has_value(), "the schema can be moved");
    }
    Migration& migration() override { return migration_; }
    Moment after(Span span) const override { return SystemClock{}.now() + span; }
    void lock() override {
        blocker_ = Child::spawn({"psql", "-XAt", server_->conninfo(), "-c",
                                 "BEGIN; LOCK TABLE users, debates IN ACCESS SHARE MODE; SELECT pg_sleep(240)"},
                                {})
                       .value();
        check(server_->await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1"),
              "the lock is held");
    }
    // A server that sleeps does not notice that its client has gone.
    void unlock() override {
        server_->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        check(server_->await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "0"),
              "the lock is gone");
    }
    void damage() override { server_->sql("ALTER TABLE users DROP COLUMN locale"); }
    void lose() override { server_->kill(); }

    std::string sql(const std::string& statement) const { return server_->sql(statement); }
    CommandMigrationSettings settings() const {
        const auto program = [this](std::vector<std::string> words) {
            Arguments all{KEDGE_LAB_APP_PROGRAM, "--schema", server_->conninfo()};
            all.insert(all.end(), words.begin(), words.end());
            return all;
        };
        CommandMigrationSettings made{.name = "schema",
                                      .version = program({"version"}),
                                      .migrate = program({"to", "${version}"}),
                                      .validate = program({"validate"}),
                                      .releases = {}};
        for (const Release& release : releases)
            made.releases[std::string(release.name)] = {release.least, release.most};
        return made;
    }

private:
    ScratchDirectory directory_;
    std::unique_ptr<ScratchServer> server_ = ScratchServer::initialize(directory_, "migrated");
    std::optional<Child> blocker_;
    CommandMigration migration_{settings()};
};

INSTANTIATE_TEST_SUITE_P(Command, MigrationContract,
                         testing::Values([] { return std::unique_ptr<MigrationWorld>(new CommandWorld); }));

TEST(CommandMigration, AStepDownDropsWhatStandsThereAndOneUpBringsItBackEmpty) {
    CommandWorld world;
    world.sql("UPDATE users SET locale = 'de' WHERE id = 'usr_1'");
    ASSERT_TRUE(world.migration().migrate(2, 20s, world.after(30s)));
    ASSERT_TRUE(world.migration().migrate(3, 20s, world.after(30s)));
    EXPECT_EQ(world.sql("SELECT locale FROM users WHERE id = 'usr_1'"), "en");
}

TEST(CommandMigration, AProgramThatIsNotThereOrPrintsNoNumberLeavesTheVersionUnknown) {
    const CommandWorld world;
    CommandMigrationSettings settings = world.settings();
    settings.version = {"/nothing/here"};
    settings.migrate = {"/nothing/here", "${version}"};
    CommandMigration missing(settings);
    const MigrationLook unasked = missing.look(world.after(5s)).value();
    EXPECT_EQ(unasked.reachable, Truth::unknown);
    EXPECT_THAT(unasked.says, HasSubstr("/nothing/here"));
    EXPECT_EQ(missing.migrate(2, 2s, world.after(5s)).error().fault, Fault::not_found);

    for (const char* text : {"three", "3 or so", ""}) {
        settings.version = {"echo", text};
        const MigrationLook unread = CommandMigration(settings).look(world.after(5s)).value();
        EXPECT_EQ(unread.reachable, Truth::yes) << text;
        EXPECT_EQ(unread.version, std::nullopt) << text;
    }
}

TEST(CommandMigration, AValidationThatCouldNotLookIsUnknown) {
    const CommandWorld world;
    CommandMigrationSettings settings = world.settings();
    settings.validate = {settings.version[0], "--schema", "host=127.0.0.1 port=1 user=postgres", "validate"};
    const MigrationLook look = CommandMigration(settings).look(world.after(5s)).value();
    EXPECT_EQ(look.version, 3);
    EXPECT_EQ(look.sound, Truth::unknown) << look.says;
}

TEST(CommandMigration, OneThatIsStoppedAtItsDeadlineHasAnUnknownOutcome) {
    CommandWorld world;
    world.lock();
    const auto moved = world.migration().migrate(1, 20s, world.after(500ms));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().fault, Fault::outcome_unknown);
}

}  // namespace
}  // namespace kedge::lab
