// The driver `patroni` against a real Patroni with two members and one etcd.
#include "targets/patroni/patroni_postgres.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "os/clock.h"
#include "os/http_stub.h"
#include "targets/database_contract.h"
#include "targets/patroni/scratch_patroni.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

Moment soon(Span span = 20s) {
    return SystemClock{}.now() + span;
}

class PatroniWorld final : public DatabaseWorld {
public:
    PatroniWorld() {
        cluster_.server("east").sql("CREATE TABLE orders (id int, note text)");
        database_ = std::move(PatroniPostgres::create(settings())).value();
    }

    PatroniPostgresSettings settings() {
        PatroniPostgresSettings settings{.name = "orders-db", .scope = ScratchPatroni::scope};
        for (const std::string region : {"east", "west"}) {
            PatroniSite& site = settings.sites[region];
            site.connection = cluster_.server(region).conninfo();
            site.member = region;
            site.rest_url = cluster_.rest_url(region);
            const std::string file = fence_file(region);
            site.fence.look = {"sh", "-c", "read -r code <\"$0\"; echo \"its file says $code\"; exit \"$code\"", file};
            set_fence(region, Truth::no);
        }
        return settings;
    }

    Database& database() override { return *database_; }
    Moment now() override { return SystemClock{}.now(); }
    bool await(const std::function<bool()>& holds) override {
        for (const Moment end = now() + 30s; now() < end; wait_out(within(20ms)))
            if (holds()) return true;
        return false;
    }
    std::string scratch_directory() override { return cluster_.directory().path() + "/export"; }

    void kill(const std::string& region) override { cluster_.kill(region); }
    void freeze(const std::string& region) override { cluster_.freeze(region); }
    void thaw(const std::string& region) override { cluster_.thaw(region); }
    void pause_replay(const std::string& region) override {
        cluster_.server(region).sql("SELECT pg_wal_replay_pause()");
    }
    void stop_receiving(const std::string&) override { FAIL() << "Patroni would take the stream up again"; }
    void insert_orders(const std::string& region, int count) override {
        cluster_.server(region).sql(
            fmt::format("INSERT INTO orders SELECT i, 'new' FROM generate_series(1, {}) i", count));
    }
    std::int64_t count_orders(const std::string& region) override {
        return std::stoll(cluster_.server(region).ask("SELECT count(*) FROM orders").value_or("-1"));
    }
    void set_fence(const std::string& region, Truth up) override {
        std::ofstream{fence_file(region)} << (up == Truth::yes ? 0 : up == Truth::no ? 1 : 7) << '\n';
    }
    void drop_database() override { FAIL() << "Patroni itself is in it"; }
    void put_under_manager(const std::string&) override { FAIL() << "it is under one"; }

    ScratchPatroni& cluster() { return cluster_; }

private:
    std::string fence_file(const std::string& region) const {
        return fmt::format("{}/fence-{}", cluster_.directory().path(), region);
    }

    ScratchPatroni cluster_{{}};
    std::unique_ptr<PatroniPostgres> database_;
};

std::unique_ptr<DatabaseWorld> make_patroni_world() {
    return std::make_unique<PatroniWorld>();
}

INSTANTIATE_TEST_SUITE_P(Patroni, DatabaseContract, testing::Values(make_patroni_world));

// What is the driver's own, in one world: each test finds a cluster that is whole.
class Patroni : public testing::Test {
protected:
    static void SetUpTestSuite() { world_ = std::make_unique<PatroniWorld>(); }
    static void TearDownTestSuite() { world_.reset(); }
    PatroniWorld& world() { return *world_; }
    Database& database() { return world().database(); }
    std::string leader() {
        for (const char* region : {"east", "west"})
            if (database().look(region, soon())->writable == Truth::yes) return region;
        return {};
    }
    static std::string other(const std::string& region) { return region == "east" ? "west" : "east"; }

private:
    static inline std::unique_ptr<PatroniWorld> world_;
};

TEST_F(Patroni, IsSeenAsTheManager) {
    EXPECT_EQ(database().look("east", soon())->manager, "patroni");
    EXPECT_EQ(database().look("west", soon())->manager, "patroni");
}

TEST_F(Patroni, SwitchesOverAndLosesNothing) {
    const std::string from = leader(), to = other(from);
    world().insert_orders(from, 5);
    const std::int64_t orders = world().count_orders(from);
    const auto asked = database().switch_over(to, soon());
    ASSERT_TRUE(asked.has_value()) << asked.error().message;
    EXPECT_TRUE(world().await([&] { return database().look(to, soon())->writable == Truth::yes; }));
    EXPECT_EQ(world().count_orders(to), orders);
    EXPECT_TRUE(world().await([&] { return database().look(from, soon())->receiving == Truth::yes; }));
    const auto again = database().switch_over(to, soon());
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().fault, Fault::refused);
}

TEST_F(Patroni, IsNotPromotedPastALivingLeader) {
    const std::string from = leader(), to = other(from);
    const auto asked = database().promote(to, soon());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().fault, Fault::refused);
    EXPECT_NE(asked.error().message.find(from + " holds the leader's key"), std::string::npos) << asked.error().message;
    EXPECT_NE(asked.error().hint.find("switch over"), std::string::npos);
}

TEST_F(Patroni, DoesItselfWhatAnotherDriverIsAskedFor) {
    const std::string region = other(leader());
    const auto refused = [](const auto& asked) { return !asked && asked.error().fault == Fault::refused; };
    EXPECT_TRUE(refused(database().shut_down(region, soon())));
    EXPECT_TRUE(refused(database().start(region, soon())));
    EXPECT_TRUE(refused(database().stopped_at(region, soon())));
    EXPECT_TRUE(refused(database().raise_fence(region, soon())));
    EXPECT_TRUE(refused(database().rejoin(region, leader(), RejoinBy::rewind, soon())));
    EXPECT_TRUE(refused(database().export_stranded(region, leader(), world().scratch_directory(), soon())));
    EXPECT_EQ(database().look(region, soon())->receiving, Truth::yes);
}

TEST_F(Patroni, MakesAMemberAnewByItsOwnBaseBackup) {
    const std::string from = leader(), region = other(from);
    const auto refused = database().rejoin(from, region, RejoinBy::base_backup, soon());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().fault, Fault::refused) << "a leader is not thrown away";
    world().cluster().server(region).sql("SELECT pg_wal_replay_pause()");
    world().insert_orders(from, 2);
    const std::int64_t orders = world().count_orders(from);
    ASSERT_TRUE(database().rejoin(region, from, RejoinBy::base_backup, soon()).has_value());
    EXPECT_TRUE(world().await([&] { return world().count_orders(region) == orders; }));
}

// Without commands of its own a fence is what the server and the cluster show.
TEST_F(Patroni, IsAFenceOnlyForAStandbyOfALivingLeader) {
    PatroniPostgresSettings settings = world().settings();
    for (auto& [region, site] : settings.sites) site.fence = {};
    const auto bare = std::move(PatroniPostgres::create(std::move(settings))).value();
    const std::string from = leader(), to = other(from);
    EXPECT_EQ(bare->look_at_fence(from, soon())->fenced, Truth::no);
    EXPECT_EQ(bare->look_at_fence(to, soon())->fenced, Truth::yes);
    world().freeze(to);
    EXPECT_EQ(bare->look_at_fence(to, soon(600ms))->fenced, Truth::unknown);
    world().thaw(to);
    EXPECT_TRUE(world().await([&] { return database().look(to, soon())->receiving == Truth::yes; }));
}

TEST_F(Patroni, IsNotAskedWhenTheClusterIsAnotherOne) {
    PatroniPostgresSettings settings = world().settings();
    settings.scope = "production";
    const auto stranger = std::move(PatroniPostgres::create(std::move(settings))).value();
    const auto asked = stranger->switch_over(other(leader()), soon());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().fault, Fault::refused);
    EXPECT_NE(asked.error().message.find("'scratch', not 'production'"), std::string::npos) << asked.error().message;
}

// The answers that Patroni gives, and what each of them means.
class Rest : public testing::Test {
protected:
    static Error answer_to_failover(int status, const std::string& body) {
        const HttpStub stub{[&](const HttpRequest&) { return HttpResponse{.status = status, .body = body}; }};
        const auto asked = PatroniRest{stub.url(), {}}.fail_over("west", soon(2s));
        return asked ? Error{Fault::invalid_input, "went through"} : asked.error();
    }
};

TEST_F(Rest, TellsARefusalFromAnUnknownOutcome) {
    EXPECT_EQ(answer_to_failover(200, "Successfully failed over to \"west\"").message, "went through");
    EXPECT_EQ(answer_to_failover(200, "Failed over to \"north\" instead of \"west\"").fault, Fault::refused);
    EXPECT_EQ(answer_to_failover(412, "failover is not possible: no good candidates have been found").fault,
              Fault::refused);
    EXPECT_EQ(answer_to_failover(400, "").fault, Fault::refused);
    EXPECT_EQ(answer_to_failover(503, "Failover failed").fault, Fault::refused);
    EXPECT_EQ(answer_to_failover(503, "Failover status unknown").fault, Fault::outcome_unknown);
    EXPECT_EQ(answer_to_failover(502, "<html>").fault, Fault::outcome_unknown);
    EXPECT_EQ(answer_to_failover(401, "no auth header received").fault, Fault::not_allowed);
    EXPECT_EQ(answer_to_failover(403, "Access is denied").fault, Fault::not_allowed);
}

TEST_F(Rest, SendsItsCredentialsWithWhatChangesSomething) {
    std::string seen;
    const HttpStub stub{[&](const HttpRequest& request) {
        for (const auto& [name, value] : request.headers)
            if (name == "Authorization") seen = value;
        return HttpResponse{.status = 200, .body = "reinitialize started"};
    }};
    ASSERT_TRUE(PatroniRest(stub.url(), {"kedge", "s3cret"}).reinitialize(soon()).has_value());
    EXPECT_EQ(seen, "Basic a2VkZ2U6czNjcmV0");
}

TEST_F(Rest, DoesNotTakeAnotherServerForPatroni) {
    for (const char* body : {"<html>login</html>", "{}", "[]", R"({"members": [{"name": "east"}]})"}) {
        const HttpStub stub{[&](const HttpRequest&) { return HttpResponse{.status = 200, .body = body}; }};
        EXPECT_FALSE(PatroniRest(stub.url(), {}).cluster(soon(2s)).has_value()) << body;
        EXPECT_FALSE(PatroniRest(stub.url(), {}).status(soon(2s)).has_value()) << body;
    }
}

TEST_F(Rest, LeavesASilentMemberOutcomeUnknown) {
    HttpStub stub{[](const HttpRequest&) { return HttpResponse{.status = 200}; }};
    stub.fall_silent();
    EXPECT_EQ(PatroniRest(stub.url(), {}).fail_over("west", soon(300ms)).error().fault, Fault::outcome_unknown);
    EXPECT_EQ(PatroniRest(stub.url(), {}).cluster(soon(300ms)).error().fault, Fault::unavailable);
}

}  // namespace
}  // namespace kedge
