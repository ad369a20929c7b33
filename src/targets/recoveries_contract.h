// What every Recoveries must do, whatever makes them: a suite that each driver's tests instantiate with a world of
// their own, the simulator's included.
//
//     INSTANTIATE_TEST_SUITE_P(Own, RecoveriesContract, testing::Values(make_my_world));
//
// Those of caches are in cache_recoveries_contract.h.
//
// To be included by one file of a test program.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "targets/recoveries.h"

namespace kedge {

// What recoveries work in, whatever they are of.
class RecoveriesGround {
public:
    virtual ~RecoveriesGround() = default;
    virtual Recoveries& recoveries() = 0;
    // By the world's clock.
    virtual Moment now() const = 0;
    // Lets a moment pass.
    virtual void pass() = 0;
    // Lets time pass until it holds; false if it takes too long.
    bool await(const std::function<bool()>& condition) {
        for (const Moment end = now() + std::chrono::minutes{5}; !condition(); pass())
            if (now() > end) return false;
        return true;
    }
    // Whether it can be read who has to stay erased.
    virtual void set_ledger(bool readable) = 0;
    // The server of a recovered copy ends.
    virtual void end_copy(const std::string& name) = 0;
};

// A database `db` whose one server, in `east`, takes writes, and holds the row 1; a base backup of it from before that,
// and an archive with all of its log. An erasure ledger in which nobody is yet. And the means to break it.
class RecoveriesWorld : public RecoveriesGround {
public:
    // Production takes the row, and the archive has all up to it.
    virtual void write(std::int64_t row) = 0;
    // Those that production has; its server runs.
    virtual std::set<std::int64_t> rows() = 0;
    // Something is missing in the middle of the archived log.
    virtual void lose_segment() = 0;
    // A dump of what production holds now, the only one that can be had.
    virtual void dump() = 0;
    virtual void damage_dump() = 0;
    virtual void drop_database() = 0;    // its server goes on
    virtual void stop_production() = 0;  // in order
    virtual void start_production() = 0;
    // What its fence says; the server does what it does.
    virtual void set_fence(bool up) = 0;
    // What works on recoveries dies, from one moment to the next, in the middle of making one.
    virtual void kill_work() = 0;
};

// What is asked of the recovery `copy` in a World, and told of it.
template <class World>
class OfARecovery : public testing::TestWithParam<std::function<std::unique_ptr<World>()>> {
protected:
    // An order about a copy that is there.
    using Order = Result<void> (Recoveries::*)(const std::string& name, const std::string& region,
                                               const std::string& key, Moment deadline);

    Moment soon() const { return world->now() + std::chrono::seconds{30}; }
    RecoveryLook look() {
        const auto seen = recoveries.look("copy", soon());
        EXPECT_TRUE(seen) << seen.error().message;
        return seen.value_or(RecoveryLook{});
    }
    // All that plans decide by.
    static std::string told(const RecoveryLook& seen) {
        return fmt::format(
            "exists {}, key {}, possible {}, stands {}, usable {}, proved {}, answers {}, prepared {}, promoted {}, "
            "exchanges {}, served {}, compared by {}, "
            "kept for {}",
            seen.exists, seen.key, to_string(seen.possible), to_string(seen.stands), to_string(seen.usable),
            to_string(seen.proved), to_string(seen.answers), to_string(seen.prepared), to_string(seen.promoted),
            seen.exchanges, seen.served, get_string(seen.comparison, "key").value_or("nobody"),
            get_string(get(seen.proof, "kept"), "key").value_or("nobody"));
    }
    std::string told() { return told(look()); }

    void await_end(const Result<void>& ordered) {
        ASSERT_TRUE(ordered) << ordered.error().message;
        ASSERT_TRUE(world->await([&] { return look().working == Truth::no; })) << "it comes to an end";
    }
    // Its work has ended, and did what it is for.
    void expect_done(const Result<void>& ordered, const std::string& key) {
        ASSERT_NO_FATAL_FAILURE(await_end(ordered));
        const auto failed = recoveries.failure(key).value();
        ASSERT_EQ(failed, std::nullopt) << *failed;
    }
    Result<void> give(Order order, const std::string& key, const std::string& region = "east") {
        return (recoveries.*order)("copy", region, key, soon());
    }
    // Given twice it ends as given once; the second time it may be said that there is nothing to do.
    void carry_out(Order order, const std::string& key) {
        ASSERT_NO_FATAL_FAILURE(expect_done(give(order, key), key));
        const std::string once = told();
        ASSERT_NO_FATAL_FAILURE(await_end(give(order, key)));
        EXPECT_EQ(told(), once) << "given twice";
    }
    // It is said why: at once, or when it has begun; and all is as it was.
    void expect_refused(const std::function<Result<void>(const std::string& key)>& order, const std::string& why) {
        const std::string before = told(), key = "r/refused";
        if (const auto ordered = order(key)) {
            ASSERT_NO_FATAL_FAILURE(await_end(ordered));
            const auto failed = recoveries.failure(key).value();
            ASSERT_TRUE(failed) << why << ": " << told();
            EXPECT_FALSE(failed->empty());
        }
        EXPECT_EQ(told(), before) << why;
    }
    void expect_refused(Order order, const std::string& why, const std::string& region = "east") {
        expect_refused([&](const std::string& key) { return give(order, key, region); }, why);
    }
    void discard() {
        for (int i = 0; i < 2; ++i) {
            ASSERT_NO_FATAL_FAILURE(await_end(recoveries.discard("copy", "r/discard", soon())));
            EXPECT_FALSE(look().exists) << look().says;
        }
    }
    std::unique_ptr<World> world = this->GetParam()();
    Recoveries& recoveries = world->recoveries();
};

class RecoveriesContract : public OfARecovery<RecoveriesWorld> {
protected:
    using Rows = std::set<std::int64_t>;

    void expect_refused_without_ledger(Order order) {
        world->set_ledger(false);
        expect_refused(order, "somebody may have been erased since");
        world->set_ledger(true);
    }
    static RecoveryOrder to(const std::string& point) {
        return {.name = "copy", .database = "db", .to = point, .policy = ""};
    }
    static RestoreOrder restored(const std::string& to = "") {
        return {.name = "copy", .database = "db", .to = to, .dump = "", .policy = ""};
    }
    void restore(const std::string& to = "") {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.restore(restored(to), "r/restore", soon()), "r/restore"));
    }
    void make(const std::string& key = "r/make") {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.make(to("latest"), key, soon()), key));
        ASSERT_EQ(look().stands, Truth::yes) << look().says;
    }
    // In all tables together.
    std::int64_t differing(std::string_view how) {
        std::int64_t rows = 0;
        const Json comparison = look().comparison;
        for (const Json& table : get(comparison, "tables")) rows += get_integer(table, how).value_or(0);
        return rows;
    }
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RecoveriesContract);

TEST_P(RecoveriesContract, WhatNobodyMadeIsNotThere) {
    EXPECT_FALSE(look().exists);
    EXPECT_EQ(look().working, Truth::no);
    EXPECT_FALSE(look().says.empty());
    for (const Order order : {&Recoveries::compare, &Recoveries::prepare, &Recoveries::promote, &Recoveries::load,
                              &Recoveries::exchange, &Recoveries::put_back})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "there is no recovery"));
    EXPECT_EQ(world->rows(), (Rows{1}));
}

TEST_P(RecoveriesContract, AnOrderReturnsAtOnceAndThenItStandsAtItsPoint) {
    ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.choose(to("latest"), "r/choose", soon()), "r/choose"));
    ASSERT_TRUE(recoveries.make(to("latest"), "r/make", soon()));
    const RecoveryLook begun = look();
    EXPECT_EQ(begun.working, Truth::yes);
    EXPECT_NE(begun.stands, Truth::yes);
    EXPECT_EQ(recoveries.failure("r/make").value(), std::nullopt);
    for (const auto& meanwhile :
         {recoveries.make(to("latest"), "r/other", soon()), recoveries.discard("copy", "r/discard", soon()),
          give(&Recoveries::compare, "r/compare"), give(&Recoveries::promote, "r/promote"),
          give(&Recoveries::exchange, "r/exchange")}) {
        ASSERT_FALSE(meanwhile) << "one works on it at a time";
        EXPECT_EQ(meanwhile.error().fault, Fault::conflict) << meanwhile.error().message;
    }
    ASSERT_TRUE(world->await([&] { return look().working == Truth::no; }));
    EXPECT_EQ(recoveries.failure("r/make").value(), std::nullopt);
    const RecoveryLook made = look();
    EXPECT_TRUE(made.exists);
    EXPECT_EQ(made.key, "r/make") << "what was chosen for one step is made for another";
    for (const Truth holds : {made.possible, made.stands, made.proved, made.usable, made.answers})
        EXPECT_EQ(holds, Truth::yes) << told(made) << made.says;
    for (const Truth not_yet : {made.prepared, made.promoted}) EXPECT_EQ(not_yet, Truth::no) << told(made);
    EXPECT_FALSE(made.exchanges);
    EXPECT_FALSE(made.says.empty());
    EXPECT_EQ(world->rows(), (Rows{1})) << "production is as it was";

    world->write(2);
    ASSERT_NO_FATAL_FAILURE(await_end(recoveries.make(to("latest"), "r/make", soon())));
    EXPECT_EQ(told(), told(made)) << "what stands is not made again";
    ASSERT_NO_FATAL_FAILURE(expect_refused(
        [&](const std::string& key) { return recoveries.make(to("latest"), key, soon()); }, "nor for somebody else"));
    EXPECT_THAT(recoveries.failure("r/refused").value().value_or(""), testing::HasSubstr("already"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_EQ(differing("only_production"), 1);
    discard();
    EXPECT_EQ(world->rows(), (Rows{1, 2}));
}

TEST_P(RecoveriesContract, ChoosingMakesNothingAndSaysWhetherItIsPossible) {
    const RecoveryOrder late = to(kedge::to_string(world->now() + std::chrono::hours{1}));
    for (int i = 0; i < 2; ++i) {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.choose(late, "r/late", soon()), "r/late"));
        EXPECT_EQ(look().possible, Truth::no);
        EXPECT_EQ(look().key, "r/late");
        EXPECT_FALSE(get_string(look().choice, "says").value_or("").empty());
    }
    ASSERT_NO_FATAL_FAILURE(
        expect_refused([&](const std::string& key) { return recoveries.choose(to("latest"), key, soon()); },
                       "it is the name of one to another point"));
    discard();
    for (int i = 0; i < 2; ++i) {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.choose(to("latest"), "r/choose", soon()), "r/choose"));
        const RecoveryLook chosen = look();
        EXPECT_TRUE(chosen.exists);
        EXPECT_EQ(chosen.key, "r/choose");
        EXPECT_EQ(chosen.possible, Truth::yes) << get_string(chosen.choice, "says").value_or("");
        EXPECT_TRUE(get_number(chosen.choice, "takes_seconds"));
        EXPECT_EQ(chosen.stands, Truth::no);
        EXPECT_EQ(chosen.usable, Truth::no);
        EXPECT_NE(chosen.answers, Truth::yes);
    }
    for (const Order order :
         {&Recoveries::compare, &Recoveries::prepare, &Recoveries::promote, &Recoveries::load, &Recoveries::exchange})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "nothing was made"));
    discard();
}

TEST_P(RecoveriesContract, NobodyUsesACopyThatMayHoldWhoIsErased) {
    world->set_ledger(false);
    make();
    const RecoveryLook made = look();
    EXPECT_EQ(made.usable, Truth::no);
    EXPECT_EQ(made.proved, Truth::yes);
    EXPECT_EQ(made.answers, Truth::yes);
    EXPECT_FALSE(made.says.empty());
    for (const bool readable : {false, true}) {
        world->set_ledger(readable);
        for (const Order order : {&Recoveries::compare, &Recoveries::prepare, &Recoveries::promote, &Recoveries::load,
                                  &Recoveries::exchange})
            ASSERT_NO_FATAL_FAILURE(expect_refused(order, "nobody took them out"));
    }
    discard();
}

TEST_P(RecoveriesContract, ComparesWithWhatProductionHas) {
    make();
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/same"));
    EXPECT_EQ(get_string(look().comparison, "key"), "r/same");
    EXPECT_EQ(get_bool(look().comparison, "equal"), true) << dump(look().comparison);
    world->write(2);
    world->write(3);
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    const RecoveryLook seen = look();
    EXPECT_EQ(get_string(seen.comparison, "key"), "r/compare");
    EXPECT_THAT(get_string(seen.comparison, "with").value_or(""), testing::HasSubstr("east"));
    EXPECT_EQ(get_bool(seen.comparison, "equal"), false);
    EXPECT_EQ(differing("only_production"), 2);
    EXPECT_EQ(differing("only_copy"), 0);
    EXPECT_EQ(differing("changed"), 0);
    EXPECT_EQ(seen.key, "r/make") << "it is still whose it was";
    EXPECT_EQ(seen.usable, Truth::yes);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::compare, "no server of it is there", "west"));

    world->end_copy("copy");
    ASSERT_TRUE(world->await([&] { return look().answers == Truth::no; }));
    EXPECT_EQ(look().stands, Truth::yes);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::compare, "the copy does not answer"));
    discard();
}

TEST_P(RecoveriesContract, KilledWorkIsToldToWhoAskedAndBegunAnew) {
    ASSERT_TRUE(recoveries.make(to("latest"), "r/make", soon()));
    world->kill_work();
    ASSERT_TRUE(world->await([&] { return look().working == Truth::no; }));
    EXPECT_NE(look().stands, Truth::yes);
    EXPECT_NE(look().usable, Truth::yes);
    EXPECT_THAT(recoveries.failure("r/make").value().value_or(""), testing::HasSubstr("killed"));
    EXPECT_EQ(recoveries.failure("r/another").value(), std::nullopt) << "it was not theirs";
    make();
    EXPECT_EQ(look().usable, Truth::yes);
    EXPECT_EQ(look().answers, Truth::yes);
    discard();
}

TEST_P(RecoveriesContract, IsExchangedWithinTheRunningServerAndBack) {
    make();
    world->write(2);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::exchange, "it is not loaded"));
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::load, "no server of it is there", "west"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::load, "r/load"));
    const RecoveryLook loaded = look();
    EXPECT_EQ(loaded.prepared, Truth::yes);
    EXPECT_EQ(loaded.promoted, Truth::no);
    EXPECT_TRUE(loaded.exchanges);
    EXPECT_EQ(world->rows(), (Rows{1, 2})) << "what is there serves meanwhile";
    for (const Order order : {&Recoveries::prepare, &Recoveries::promote, &Recoveries::compare})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "it is loaded into the running server"));
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::exchange, "it was loaded elsewhere", "west"));
    world->stop_production();
    for (const Order order : {&Recoveries::exchange, &Recoveries::put_back})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "nobody takes writes"));
    world->start_production();
    ASSERT_NO_FATAL_FAILURE(expect_refused_without_ledger(&Recoveries::exchange));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::put_back, "r/unload"));
    EXPECT_EQ(look().usable, Truth::yes);
    EXPECT_FALSE(look().exchanges);
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::load, "r/load"));

    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::exchange, "r/exchange"));
    EXPECT_EQ(look().promoted, Truth::yes);
    EXPECT_TRUE(look().exchanges);
    EXPECT_EQ(look().key, "r/make");
    EXPECT_EQ(world->rows(), (Rows{1}));
    world->write(3);

    ASSERT_NO_FATAL_FAILURE(expect_refused_without_ledger(&Recoveries::put_back));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::put_back, "r/back"));
    EXPECT_EQ(world->rows(), (Rows{1, 2})) << "as it was";
    EXPECT_EQ(look().promoted, Truth::no);
    EXPECT_EQ(look().prepared, Truth::yes) << "it is loaded still, with what was written to it";
    EXPECT_TRUE(look().served);
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::exchange, "r/again"));
    EXPECT_FALSE(look().served);
    EXPECT_EQ(world->rows(), (Rows{1, 3}));
    discard();
    EXPECT_EQ(world->rows(), (Rows{1, 3})) << "it has the name for good";
}

TEST_P(RecoveriesContract, WhatTheArchiveCannotGiveIsNotMade) {
    world->lose_segment();
    for (int i = 0; i < 2; ++i) {
        ASSERT_NO_FATAL_FAILURE(expect_done(recoveries.make(to("latest"), "r/make", soon()), "r/make"));
        const RecoveryLook seen = look();
        EXPECT_EQ(seen.key, "r/make");
        EXPECT_EQ(seen.possible, Truth::no) << told(seen);
        EXPECT_EQ(seen.stands, Truth::no);
        EXPECT_EQ(seen.usable, Truth::no);
        EXPECT_FALSE(get_string(seen.choice, "says").value_or("").empty());
    }
    discard();
}

TEST_P(RecoveriesContract, ADumpStandsAsItWasTaken) {
    world->write(2);
    world->dump();
    world->write(3);
    ASSERT_NO_FATAL_FAILURE(restore());
    const RecoveryLook made = look();
    EXPECT_EQ(made.key, "r/restore");
    for (const Truth holds : {made.possible, made.stands, made.proved, made.usable, made.answers})
        EXPECT_EQ(holds, Truth::yes) << told(made) << made.says;
    ASSERT_NO_FATAL_FAILURE(await_end(recoveries.restore(restored(), "r/restore", soon())));
    EXPECT_EQ(told(), told(made)) << "what stands is not made again";
    ASSERT_NO_FATAL_FAILURE(expect_refused(
        [&](const std::string& key) { return recoveries.restore(restored(), key, soon()); }, "nor for somebody else"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_EQ(differing("only_production"), 1);
    EXPECT_EQ(differing("only_copy"), 0);
    ASSERT_NO_FATAL_FAILURE(
        expect_refused(&Recoveries::prepare, "neither archive nor standbys of production could go on with it"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::load, "r/load"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::exchange, "r/exchange"));
    EXPECT_EQ(world->rows(), (Rows{1, 2}));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::put_back, "r/back"));
    EXPECT_EQ(world->rows(), (Rows{1, 2, 3}));
    discard();
}

TEST_P(RecoveriesContract, ADatabaseThatIsGoneComesBackUnderItsName) {
    world->dump();
    world->write(2);
    world->drop_database();
    ASSERT_NO_FATAL_FAILURE(restore());
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_EQ(get_bool(look().comparison, "live_is_gone"), true) << dump(look().comparison);
    EXPECT_EQ(get_bool(look().comparison, "equal"), false) << "nobody can say what it had";
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::load, "r/load"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::exchange, "r/exchange"));
    EXPECT_EQ(world->rows(), Rows{1});
    world->write(3);
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::put_back, "r/back"));
    EXPECT_EQ(look().served, true) << told();
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::exchange, "r/exchange-again"));
    EXPECT_EQ(world->rows(), (Rows{1, 3})) << "with what it got";
    discard();
    EXPECT_EQ(world->rows(), (Rows{1, 3})) << "nothing was kept that could be removed";
}

TEST_P(RecoveriesContract, WithoutASoundDumpNothingIsRestored) {
    world->dump();
    world->damage_dump();
    ASSERT_NO_FATAL_FAILURE(restore());
    const RecoveryLook seen = look();
    EXPECT_EQ(seen.key, "r/restore");
    EXPECT_EQ(seen.possible, Truth::no) << told(seen);
    for (const Truth not_so : {seen.stands, seen.usable, seen.promoted}) EXPECT_EQ(not_so, Truth::no) << told(seen);
    EXPECT_FALSE(get_string(seen.choice, "says").value_or("").empty());
    discard();
}

TEST_P(RecoveriesContract, OfDumpAndBaseBackupServesWhatLosesLess) {
    world->dump();
    const Moment dumped = world->now();
    ASSERT_TRUE(world->await([&] { return world->now() > dumped + std::chrono::seconds{2}; })) << "it knows its second";
    world->write(2);
    ASSERT_NO_FATAL_FAILURE(restore("latest"));
    EXPECT_EQ(look().usable, Truth::yes) << look().says;
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_EQ(get_bool(look().comparison, "equal"), true) << dump(look().comparison);
    discard();
    world->lose_segment();
    ASSERT_NO_FATAL_FAILURE(restore("latest"));
    EXPECT_EQ(look().usable, Truth::yes) << look().says;
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_GE(differing("only_production"), 1);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::prepare, "it is of the dump"));
    discard();
}

TEST_P(RecoveriesContract, TakesTheFencedServersPlaceAndLeavesItAgain) {
    make();
    world->write(2);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::promote, "it is not prepared"));
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::prepare, "no server of it is there", "west"));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::prepare, "r/prepare"));
    const RecoveryLook ready = look();
    EXPECT_EQ(ready.prepared, Truth::yes);
    EXPECT_EQ(ready.promoted, Truth::no);
    EXPECT_FALSE(ready.exchanges);
    for (const Truth holds : {ready.stands, ready.proved}) EXPECT_EQ(holds, Truth::yes) << told(ready);
    for (const Truth not_now : {ready.usable, ready.answers}) EXPECT_EQ(not_now, Truth::no) << told(ready);
    EXPECT_EQ(world->rows(), (Rows{1, 2})) << "production runs on";
    for (const Order order : {&Recoveries::load, &Recoveries::exchange, &Recoveries::compare})
        ASSERT_NO_FATAL_FAILURE(expect_refused(order, "it is prepared to take a server's place"));

    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::promote, "the server runs, and no fence is up"));
    world->set_fence(true);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::promote, "a server runs behind the fence"));
    world->stop_production();
    world->set_fence(false);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::promote, "it is stopped, and could start at any time"));
    world->set_fence(true);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::promote, "it was prepared for another place", "west"));
    ASSERT_NO_FATAL_FAILURE(expect_refused_without_ledger(&Recoveries::promote));

    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::promote, "r/promote"));
    EXPECT_EQ(look().promoted, Truth::yes);
    EXPECT_EQ(look().prepared, Truth::yes);
    EXPECT_EQ(look().key, "r/make");
    world->set_fence(false);
    world->start_production();
    EXPECT_EQ(world->rows(), (Rows{1}));
    world->write(3);
    ASSERT_NO_FATAL_FAILURE(expect_refused(&Recoveries::put_back, "it serves"));

    world->stop_production();
    world->set_fence(true);
    ASSERT_NO_FATAL_FAILURE(expect_refused_without_ledger(&Recoveries::put_back));
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::put_back, "r/back"));
    const RecoveryLook back = look();
    for (const Truth not_now : {back.prepared, back.promoted}) EXPECT_EQ(not_now, Truth::no) << told(back);
    for (const Truth again : {back.stands, back.usable, back.answers}) EXPECT_EQ(again, Truth::yes) << told(back);
    world->set_fence(false);
    world->start_production();
    EXPECT_EQ(world->rows(), (Rows{1, 2})) << "as it was";
    ASSERT_NO_FATAL_FAILURE(carry_out(&Recoveries::compare, "r/compare"));
    EXPECT_EQ(differing("only_production"), 1);
    EXPECT_EQ(differing("only_copy"), 1) << "what was written meanwhile stays in it";
    discard();
    EXPECT_EQ(world->rows(), (Rows{1, 2}));
}

}  // namespace kedge
