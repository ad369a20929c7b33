// Extractions that cannot be, or that something stops on the way: nothing of them stays, in neither database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "os/clock.h"
#include "recover/extract.h"
#include "recover/scratch_extraction.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

// Everything in live, to be compared before and after.
std::string whole(const ScratchDatabases& both) {
    return both.live(everything_that_defines) + both.live(trigger_states) +
           both.live(
               "SELECT md5(string_agg(t, '|' ORDER BY t)) FROM (SELECT orders::text FROM orders UNION ALL SELECT "
               "lines::text FROM lines UNION ALL SELECT customers::text FROM customers UNION ALL SELECT "
               "log::text FROM log) AS a(t); SELECT last_value FROM orders_id_seq");
}

// What an extraction could leave behind: sessions, and tables of its own.
void expect_nothing_left(const ScratchDatabases& both) {
    const std::string sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kedge' AND datname ~ '^test_'";
    EXPECT_TRUE(ScratchDatabases::server().await(sessions, "0"));
    for (const std::string& left : {both.recovered("SELECT count(*) FROM pg_class WHERE relname ~ 'kedge'"),
                                    both.live("SELECT count(*) FROM pg_class WHERE relname ~ 'kedge'")})
        EXPECT_EQ(left, "0");
}

void expect_refusal(const ScratchDatabases& both, std::vector<Chosen> chosen, Fault fault,
                    const testing::Matcher<std::string>& message, How how = {}) {
    const std::string before = whole(both);
    const auto refused = try_extract(both, std::move(chosen), std::move(how));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, fault) << refused.error().message;
    EXPECT_THAT(refused.error().message, message);
    EXPECT_EQ(whole(both), before);
    expect_nothing_left(both);
}

TEST(ExtractFailure, WhatIsNoConditionIsRefused) {
    const ScratchDatabases both(shop);
    both.live("DELETE FROM lines; DELETE FROM orders");
    for (const char* where : {"true) OR (true", "true; DROP TABLE orders", "id = ", "nowhere = 1", "\\! touch /tmp/x",
                              "true UNION SELECT 1", "1); DELETE FROM orders WHERE (true", "id"})
        expect_refusal(both, {{"orders", where}}, Fault::invalid_input, HasSubstr("public.orders: where "));
    EXPECT_EQ(both.recovered("SELECT count(*) FROM orders"), "100");
    EXPECT_EQ(table_of(extracted(both, {{"orders", "id < 4 -- and so on"}}), "public.orders").inserted, 3u);
}

TEST(ExtractFailure, TablesThatCannotBeMeantAreRefused) {
    const ScratchDatabases both(std::string(shop) + "; CREATE UNLOGGED TABLE passing (id int)");
    expect_refusal(both, {{"nowhere"}}, Fault::not_found, HasSubstr("no table `nowhere`"));
    expect_refusal(both, {{"dear_orders"}}, Fault::not_found, HasSubstr("dear_orders"));
    expect_refusal(both, {{"orders"}, {"public.orders"}}, Fault::invalid_input, HasSubstr("named twice"));
    expect_refusal(both, {}, Fault::invalid_input, HasSubstr("no table is named"));
    expect_refusal(both, {{"passing"}}, Fault::refused, HasSubstr("unlogged"));
    both.live("CREATE RULE elsewhere AS ON INSERT TO lines DO INSTEAD NOTHING; DELETE FROM lines");
    expect_refusal(both, {{"lines"}}, Fault::refused, HasSubstr("rules"));
}

TEST(ExtractFailure, AnotherRowUnderAnotherUniqueKeyIsNamed) {
    const ScratchDatabases both(shop);
    both.live(
        "DELETE FROM lines WHERE \"order\" = 5; DELETE FROM orders WHERE id = 5;"
        "INSERT INTO orders (customer, slip) VALUES (1, 'slip 5')");
    for (const OnConflict way : {OnConflict::stop, OnConflict::keep, OnConflict::replace})
        expect_refusal(both, {{"orders"}}, Fault::refused,
                       AllOf(HasSubstr("orders_slip_key"), HasSubstr("(slip)=(slip 5) already exists")),
                       {.on_conflict = way});
}

TEST(ExtractFailure, AParentTableThatIsGoneHasToBeNamedToo) {
    const ScratchDatabases both(shop);
    both.live(
        "ALTER TABLE customers DROP CONSTRAINT customers_region_fkey; DROP TABLE orders CASCADE;"
        "CREATE TABLE orders (id serial PRIMARY KEY); DROP TABLE orders; CREATE TABLE orders_id_seq (last_value int)");
    const auto refused = try_extract(both, {{"lines"}});
    EXPECT_TRUE(refused) << "lines are all there: nothing is looked for";
    both.live("DELETE FROM lines");
    const auto needed = try_extract(both, {{"lines"}});
    ASSERT_FALSE(needed);
    EXPECT_EQ(needed.error().fault, Fault::refused);
    EXPECT_THAT(needed.error().message, HasSubstr("refers to 100 rows of public.orders, which live no longer has"));
    EXPECT_EQ(needed.error().hint, "bring it too: --table 'public.orders'");
    // A name that is taken is the server's no.
    const auto taken = try_extract(both, {{"lines"}, {"orders"}});
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message, HasSubstr("\"orders_id_seq\" already exists"));
    both.live("DROP TABLE orders_id_seq");
    const Extraction done = extracted(both, {{"lines"}, {"orders"}});
    EXPECT_EQ(table_of(done, "public.lines").inserted, 200u);
    EXPECT_EQ(both.live("SELECT count(*) FROM orders"), "100");
}

TEST(ExtractFailure, AParentWithOtherContentInTheWayIsNamed) {
    const ScratchDatabases both(
        "CREATE TABLE goods (id int PRIMARY KEY, code text UNIQUE NOT NULL);"
        "CREATE TABLE sales (id int PRIMARY KEY, code text REFERENCES goods (code));"
        "INSERT INTO goods SELECT n, 'c' || n FROM generate_series(1, 9) AS n;"
        "INSERT INTO sales SELECT n, 'c' || n FROM generate_series(1, 9) AS n");
    both.live(
        "DELETE FROM sales; UPDATE goods SET code = 'new' WHERE id = 4; DELETE FROM goods WHERE id = 6;"
        "INSERT INTO goods VALUES (60, 'c6')");
    const auto refused = try_extract(both, {{"sales"}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                HasSubstr("refers to rows of public.goods that live has with other content, so that sales_code_fkey"));
    EXPECT_THAT(refused.error().message, HasSubstr("(4)"));
    EXPECT_EQ(both.live("SELECT count(*) FROM sales"), "0");
    const Extraction done = extracted(both, {{"sales", "id <> 4"}});
    EXPECT_EQ(table_of(done, "public.goods").inserted, 0u) << "c6 is there under another number";
    EXPECT_EQ(both.live("SELECT count(*) FROM sales"), "8");
}

TEST(ExtractFailure, RowsThatPointToWhatIsNotBroughtStopTheForeignKey) {
    const ScratchDatabases both(shop);
    both.live("DROP TABLE orders CASCADE; INSERT INTO lines VALUES (999, 1, 1)");
    const auto refused = try_extract(both, {{"orders"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("foreign key lines_order_fkey of public.lines"),
                                               HasSubstr("(order)=(999) is not present")));
    EXPECT_EQ(both.live("SELECT to_regclass('orders') IS NULL"), "t");
    both.live("DELETE FROM lines WHERE \"order\" = 999");
    extracted(both, {{"orders"}});
}

TEST(ExtractFailure, ALockThatSomebodyHoldsEndsIt) {
    const ScratchDatabases both(shop);
    both.live("DELETE FROM lines WHERE \"order\" = 5");
    std::jthread holder;
    How how{.lock_limit = 300ms};
    how.on_step = [&](const std::string& step) {
        if (!step.starts_with("choosing")) return;
        holder = std::jthread([&] { both.live("BEGIN; LOCK TABLE lines; SELECT pg_sleep(5); COMMIT"); });
        const std::string held =
            "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND "
            "database = (SELECT oid FROM pg_database WHERE datname = '" +
            both.live_name() + "')";
        EXPECT_TRUE(ScratchDatabases::server().await(held, "t"));
    };
    const auto refused = try_extract(both, {{"lines"}}, how);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::conflict) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr("lock timeout"));
    holder.join();
    EXPECT_EQ(both.live("SELECT count(*) FROM lines"), "198");
    expect_nothing_left(both);
}

TEST(ExtractFailure, AStandbyTakesNothing) {
    const ScratchDatabases both(shop);
    const auto standby = ScratchServer::standby_of(ScratchDatabases::server(), "follower");
    standby->start();
    const auto refused = extract(both.recovered_server(), ScratchDatabases::access(*standby, both.live_name()),
                                 {.chosen = {{"orders"}}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, HasSubstr("standby"));
}

TEST(ExtractFailure, KillingItAtAnyStepLeavesNothing) {
    const ScratchDatabases both(shop);
    both.live(
        "DROP TABLE lines; DELETE FROM orders WHERE id > 50; UPDATE orders SET total = 1 WHERE id < 10;"
        "CREATE TABLE lines (t text); ALTER TABLE lines RENAME TO lines_now; CREATE TABLE lines2 (t text);"
        "DROP TABLE lines2");
    const std::string defined = both.live(everything_that_defines), triggers = both.live(trigger_states);
    for (const char* at :
         {"making tables again", "choosing rows of public.lines", "looking for rows that they refer to",
          "writing public.orders", "making indexes and constraints", "committing"}) {
        EXPECT_EXIT(static_cast<void>(try_extract(both, {{"orders"}, {"lines"}},
                                                  {.on_conflict = OnConflict::replace,
                                                   .on_step =
                                                       [&](const std::string& step) {
                                                           if (step == at) raise(SIGKILL);
                                                       }})),
                    testing::KilledBySignal(SIGKILL), "")
            << at;
        expect_nothing_left(both);
        EXPECT_EQ(both.live(everything_that_defines), defined) << at;
        EXPECT_EQ(both.live(trigger_states), triggers) << at;
        EXPECT_EQ(both.live("SELECT count(*), count(*) FILTER (WHERE total = 1) FROM orders"), "50|9") << at;
        EXPECT_EQ(both.live("SELECT last_value FROM orders_id_seq"), "100") << at;
    }
    EXPECT_EQ(extracted(both, {{"orders"}, {"lines"}}, {.on_conflict = OnConflict::replace}).end,
              ExtractEnd::committed);
}

TEST(ExtractFailure, ACommitWhoseConnectionIsLostIsLookedInto) {
    const ScratchDatabases both(shop);
    both.live("DELETE FROM lines WHERE \"order\" = 5");
    const std::string end_it = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                               both.live_name() + "' AND application_name = 'kedge'";
    // Ended before the commit reaches the server: it says that it was rolled back.
    const auto ended = try_extract(both, {{"lines"}}, {.on_step = [&](const std::string& step) {
                                       if (step == "committing") ScratchDatabases::server().sql(end_it);
                                   }});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().fault, Fault::unavailable);
    EXPECT_THAT(ended.error().message, HasSubstr("the transaction was rolled back"));
    EXPECT_EQ(both.live("SELECT count(*) FROM lines"), "198");

    // Ended while the commit waits for a standby that never comes: it says that it is committed.
    both.live(fmt::format("ALTER DATABASE {} SET synchronous_commit = on", both.live_name()));
    ScratchDatabases::server().sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    ScratchDatabases::server().sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(ScratchDatabases::server().await("SHOW synchronous_standby_names", "nobody"));
    std::jthread ender([&] {
        const std::string waits =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
            "application_name = 'kedge'";
        EXPECT_TRUE(ScratchDatabases::server().await(waits, "1"));
        EXPECT_TRUE(ScratchDatabases::server().ask(end_it));
    });
    const auto committed = try_extract(both, {{"lines"}});
    ender.join();
    ScratchDatabases::server().sql("ALTER SYSTEM RESET synchronous_standby_names");
    ScratchDatabases::server().sql("SELECT pg_reload_conf()");
    ASSERT_TRUE(ScratchDatabases::server().await("SHOW synchronous_standby_names", ""));
    ASSERT_TRUE(committed) << committed.error().message;
    EXPECT_EQ(committed->end, ExtractEnd::committed);
    EXPECT_THAT(committed->notes, testing::ElementsAre(HasSubstr("the connection was lost at the commit")));
    EXPECT_EQ(both.live("SELECT count(*) FROM lines"), "200");
}

TEST(ExtractFailure, ACommitThatNobodyCanTellOfIsUnknown) {
    const ScratchDatabases both(shop);
    const auto own = ScratchServer::initialize(ScratchDatabases::directory(), "live");
    own->start();
    ScratchDatabases::in(*own, "postgres", shop);
    ScratchDatabases::in(*own, "postgres", "DELETE FROM lines WHERE \"order\" = 5");
    const auto unknown = extract(both.recovered_server(), ScratchDatabases::access(*own, "postgres"),
                                 {.chosen = {{"lines"}}, .on_step = [&](const std::string& step) {
                                      if (step == "committing") own->kill();
                                  }});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().fault, Fault::outcome_unknown) << unknown.error().message;
    const std::string ask = "ask the primary: ";
    ASSERT_TRUE(unknown.error().hint.starts_with(ask));
    own->start();
    EXPECT_EQ(own->sql(unknown.error().hint.substr(ask.size())), "aborted") << "what the hint says tells it";
    EXPECT_EQ(own->sql("SELECT count(*) FROM lines"), "198");
}

}  // namespace
}  // namespace kedge::recover
