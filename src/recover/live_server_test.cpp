// Which of an estate's copies is the live one.
#include "recover/live_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estate/parse.h"
#include "recover/scratch_databases.h"

namespace kedge::recover {
namespace {

using testing::HasSubstr;

Estate estate_of(const std::string& east, const std::string& west) {
    const auto site = [](const std::string& connection) {
        return fmt::format(
            "{{connection: \"{0}\", replication: \"{0}\", data-directory: /d, fence: {{look: [/f], raise: [/f], lower: "
            "[/f]}}}}",
            connection);
    };
    return *parse_estate("estate.yaml",
                         fmt::format("estate: two\nregions: {{east: {{}}, west: {{}}}}\n"
                                     "tiers: {{critical: {{rto: 1h, rpo: 5m}}}}\n"
                                     "targets:\n  db:\n    kind: database\n    driver: host\n"
                                     "    database: template1\n    sites:\n      east: {}\n      west: {}\n",
                                     site(east), site(west)));
}

std::string away() {
    return fmt::format("host=127.0.0.1 port={} user=postgres", scratch_port());
}

TEST(LivePrimary, IsTheOneThatTakesWrites) {
    const auto standby = ScratchServer::standby_of(ScratchDatabases::server(), "beside");
    standby->start();
    const std::string primary = ScratchDatabases::server().conninfo();
    const Estate estate = estate_of(standby->conninfo(), primary);
    const auto found = find_live_primary(estate.targets[0], {});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->region, "west");
    EXPECT_EQ(backup::ask_postgres(*found, "SELECT current_database()", std::chrono::seconds(30), {}).value(),
              "template1");
    EXPECT_EQ(backup::find_postgres(estate.targets[0], {}, {})->region, "east") << "to be read, the standby";
    EXPECT_EQ(backup::find_postgres(estate.targets[0], "west", {})->region, "west");
}

TEST(LivePrimary, TwoOrNoneAreNobody) {
    const std::string primary = ScratchDatabases::server().conninfo();
    const auto two = find_live_primary(estate_of(primary, primary).targets[0], {});
    ASSERT_FALSE(two);
    EXPECT_EQ(two.error().fault, Fault::refused);
    EXPECT_THAT(two.error().message, HasSubstr("east and west both take writes"));
    const auto none = find_live_primary(estate_of(away(), away()).targets[0], {});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().fault, Fault::unavailable);
    EXPECT_TRUE(find_live_primary(estate_of(away(), primary).targets[0], {}));
}

TEST(LivePrimary, IsFoundThoughItsDatabaseIsClosedOrGone) {
    const std::string primary = ScratchDatabases::server().conninfo();
    Estate estate = estate_of(primary, away());
    ScratchDatabases::server().sql("CREATE DATABASE closed ALLOW_CONNECTIONS false");
    for (const char* name : {"closed", "gone"}) {
        estate.targets[0].settings = Settings(Json{{"database", name}});
        const auto found = find_live_primary(estate.targets[0], {});
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_THAT(found->connection, HasSubstr(name));
    }
    ScratchDatabases::server().sql("DROP DATABASE closed");
}

TEST(LiveCopies, ReadWhatLz4PackedOnlyIfAllSaySo) {
    const std::string primary = ScratchDatabases::server().conninfo();
    EXPECT_TRUE(all_read_lz4(estate_of(primary, primary).targets[0], {}));
    EXPECT_FALSE(all_read_lz4(estate_of(primary, away()).targets[0], {})) << "one that is silent may be none that can";
}

TEST(LiveDatabase, StandsInEitherFormOfAConnection) {
    EXPECT_EQ(backup::to_database("host=a dbname=b", "it's"), "host=a dbname=b dbname='it\\'s'");
    EXPECT_EQ(backup::to_database("postgresql://a/b", "x y"), "postgresql://a/b?dbname=x%20y");
    EXPECT_EQ(backup::to_database("postgres://a?sslmode=require", "c"), "postgres://a?sslmode=require&dbname=c");
}

}  // namespace
}  // namespace kedge::recover
