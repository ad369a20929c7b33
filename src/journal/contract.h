// What every journal must do: one suite, run against each implementation of journal.h.
//
// A test program includes this, derives a JournalWorld and instantiates the suite:
//   INSTANTIATE_TEST_SUITE_P(Memory, JournalContract, testing::Values(&make_memory_world));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "journal/chain.h"
#include "journal/journal.h"
#include "journal/journal_world.h"

namespace kedge {

class JournalContract : public testing::TestWithParam<std::unique_ptr<JournalWorld> (*)()> {
protected:
    static Draft draft(const std::string& kind = "step.intent", Json body = {{"step", "promote"}}) {
        return {kind, std::move(body), Moment{std::chrono::microseconds{1'790'000'000'123'456}}};
    }
    static std::vector<Draft> drafts(int count) {
        std::vector<Draft> many;
        for (int i = 0; i < count; ++i) many.push_back(draft("step.intent", {{"number", i}}));
        return many;
    }
    static Request request(const std::string& id, const RunId& run, const std::string& verb = "approve") {
        return {.id = id,
                .run = run,
                .step = "fence",
                .login = "mara",
                .verb = verb,
                .text = "FAILOVER",
                .digest = "d1",
                .played_as = "",
                .time = Moment{std::chrono::seconds{1'790'000'000}}};
    }
    // A run with `count` entries whose claim is kept here.
    Claim& run_of(Journal& journal, const RunId& id, int count, const std::vector<std::string>& targets = {}) {
        auto claim = journal.begin(id, targets, draft("run.started"), "pid 1 on one");
        EXPECT_TRUE(claim) << claim.error().message;
        claims_.push_back(std::move(*claim));
        if (count > 1) {
            EXPECT_TRUE(journal.append(*claims_.back(), drafts(count - 1), {}, Ends::no));
        }
        return *claims_.back();
    }
    static std::vector<std::string> ids(const Result<std::vector<Request>>& requests) {
        std::vector<std::string> found;
        for (const Request& one : *requests) found.push_back(one.id);
        return found;
    }
    template <class T>
    static void expect_error(const Result<T>& result, Fault fault, const std::string& words) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, fault) << result.error().message;
        EXPECT_THAT(result.error().message, testing::HasSubstr(words));
    }

    std::unique_ptr<JournalWorld> world_ = GetParam()();
    std::vector<std::unique_ptr<Claim>> claims_;  // go before the world does
};

TEST_P(JournalContract, GivesBackWhatWasAppendedInOrderWithFittingDigests) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1);
    const std::vector<Draft> two = {draft("step.intent", {{"step", "fence"}, {"deep", {1, 2.5, nullptr, "é\n"}}}),
                                    draft("step.outcome", {{"ok", true}})};
    EXPECT_EQ(*journal->append(claim, two, {}, Ends::no), 3u);
    const auto entries = journal->read("r-1", 0, SIZE_MAX);
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 3u);
    std::string previous;
    Position position = 0;
    for (const Entry& entry : *entries) {
        EXPECT_EQ(entry.position, ++position);
        EXPECT_EQ(entry.digest, entry_digest(entry, previous));
        EXPECT_EQ(entry.epoch, 1u);
        previous = entry.digest;
    }
    EXPECT_EQ(entries->at(1).kind, "step.intent");
    EXPECT_EQ(dump(entries->at(1).body), dump(two[0].body));
    EXPECT_EQ(entries->at(1).time, two[0].time);
    EXPECT_EQ(*journal->verify(), 3u);
}

TEST_P(JournalContract, ReadsAfterAPositionUpToALimitOfOneRunOrOfAll) {
    const auto journal = world_->open();
    const Claim& one = run_of(*journal, "r-1", 2);
    run_of(*journal, "r-2", 2);
    EXPECT_TRUE(journal->append(one, drafts(1), {}, Ends::no));
    EXPECT_EQ(journal->read("", 0, SIZE_MAX)->size(), 5u);
    EXPECT_EQ(journal->read("", 3, SIZE_MAX)->front().position, 4u);
    EXPECT_EQ(journal->read("", 0, 2)->size(), 2u);
    EXPECT_EQ(journal->read("r-1", 2, SIZE_MAX)->front().position, 5u);
    EXPECT_TRUE(journal->read("r-1", 5, SIZE_MAX)->empty());
    EXPECT_TRUE(journal->read("r-9", 0, SIZE_MAX)->empty());
    EXPECT_TRUE(journal->read("", SIZE_MAX, SIZE_MAX)->empty());
}

TEST_P(JournalContract, AnEmptyJournalHasNothingAndVerifies) {
    const auto journal = world_->open();
    EXPECT_TRUE(journal->runs()->empty());
    EXPECT_TRUE(journal->inbox("r-1")->empty());
    EXPECT_EQ(*journal->verify(), 0u);
    expect_error(journal->claim("r-1", "me"), Fault::not_found, "no run r-1");
}

TEST_P(JournalContract, ListsRunsOldestFirstWithTargetsAndTheLivingController) {
    const auto journal = world_->open();
    run_of(*journal, "r-b", 2, {"orders-db", "orders-dns", "orders-db"});
    const Claim& second = run_of(*journal, "r-a", 1, {"mail-db"});
    EXPECT_TRUE(journal->append(second, drafts(1), {}, Ends::yes));
    const auto runs = journal->runs();
    ASSERT_EQ(runs->size(), 2u);
    EXPECT_EQ(runs->at(0).id, "r-b");
    EXPECT_THAT(runs->at(0).targets, testing::ElementsAre("orders-db", "orders-dns"));
    EXPECT_EQ(runs->at(0).controller, "pid 1 on one");
    EXPECT_EQ(runs->at(0).first, 1u);
    EXPECT_EQ(runs->at(0).last, 2u);
    EXPECT_TRUE(runs->at(1).ended);
    EXPECT_FALSE(runs->at(1).controller);
    claims_.clear();
    EXPECT_FALSE(journal->runs()->at(0).controller);
}

TEST_P(JournalContract, RefusesWhatCouldNotBeReadBackAndKeepsNothingOfIt) {
    const auto journal = world_->open();
    expect_error(journal->begin("../r", {}, draft(), "me"), Fault::invalid_input, "'../r' is no id of a run");
    expect_error(journal->begin("", {}, draft(), "me"), Fault::invalid_input, "id of a run");
    expect_error(journal->begin("r-1", {""}, draft(), "me"), Fault::invalid_input, "target without a name");
    const Claim& claim = run_of(*journal, "r-1", 1);
    expect_error(journal->append(claim, {}, {}, Ends::no), Fault::invalid_input, "at least one entry");
    Json deep = 1;
    for (int i = 0; i < json_depth_max; ++i) deep = Json::array({deep});
    const std::vector<Draft> with_deep = {draft(), draft("step.evidence", deep)};
    expect_error(journal->append(claim, with_deep, {}, Ends::no), Fault::invalid_input, "nested deeper");
    const std::vector<Draft> with_large = {draft(), draft("step.evidence", std::string(5u << 20, 'x'))};
    expect_error(journal->append(claim, with_large, {}, Ends::no), Fault::invalid_input, "the most is");
    const std::vector<Draft> with_bad_kind = {draft(), draft("Step Intent")};
    expect_error(journal->append(claim, with_bad_kind, {}, Ends::no), Fault::invalid_input, "kind of entry");
    EXPECT_EQ(*journal->verify(), 1u);
    EXPECT_TRUE(journal->append(claim, drafts(1), {}, Ends::no));
}

TEST_P(JournalContract, RefusesASecondRunWithTheSameId) {
    const auto journal = world_->open();
    run_of(*journal, "r-1", 1);
    expect_error(journal->begin("r-1", {}, draft(), "me"), Fault::conflict, "run r-1 exists already");
    EXPECT_EQ(*journal->verify(), 1u);
}

TEST_P(JournalContract, RefusesATargetThatAnotherRunHoldsAndNamesTheHolder) {
    const auto journal = world_->open();
    run_of(*journal, "r-1", 1, {"orders-db", "orders-dns"});
    const auto second = world_->open()->begin("r-2", {"mail-db", "orders-dns"}, draft(), "me");
    expect_error(second, Fault::conflict, "target orders-dns is held by run r-1 (controller: pid 1 on one)");
    EXPECT_TRUE(world_->open()->begin("r-3", {"mail-db"}, draft(), "me"));  // the refused run holds nothing
}

TEST_P(JournalContract, KeepsTargetsHeldWhenTheControllerIsDead) {
    world_->begin_and_die("r-1", {"orders-db"});
    const auto journal = world_->open();
    EXPECT_FALSE(journal->runs()->at(0).controller);
    const auto second = journal->begin("r-2", {"orders-db"}, draft(), "me");
    expect_error(second, Fault::conflict, "target orders-db is held by run r-1, which no controller is driving");
    EXPECT_THAT(second.error().hint, testing::HasSubstr("kedge run resume r-1"));
}

TEST_P(JournalContract, FreesTargetsWhenTheRunHasEnded) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1, {"orders-db"});
    EXPECT_TRUE(journal->append(claim, drafts(1), {}, Ends::yes));
    EXPECT_TRUE(journal->begin("r-2", {"orders-db"}, draft(), "me"));
}

TEST_P(JournalContract, RefusesEverythingOnARunThatHasEnded) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1);
    EXPECT_TRUE(journal->append(claim, drafts(1), {}, Ends::yes));
    expect_error(journal->append(claim, drafts(1), {}, Ends::no), Fault::refused, "run r-1 has ended");
    expect_error(journal->ask(request("q-1", "r-1")), Fault::refused, "run r-1 has ended");
    claims_.clear();
    expect_error(journal->claim("r-1", "me"), Fault::refused, "run r-1 has ended");
    EXPECT_EQ(*journal->verify(), 2u);
}

TEST_P(JournalContract, RefusesAClaimWhileAControllerLivesAndNamesIt) {
    const auto journal = world_->open();
    run_of(*journal, "r-1", 1);
    expect_error(journal->claim("r-1", "me"), Fault::conflict, "living controller: pid 1 on one");
    expect_error(world_->open()->claim("r-1", "me"), Fault::conflict, "living controller: pid 1 on one");
}

TEST_P(JournalContract, GivesTheClaimAtOnceWhenTheControllerWasKilled) {
    world_->begin_and_die("r-1", {"orders-db"});
    const auto journal = world_->open();
    const auto claim = journal->claim("r-1", "pid 2 on two");
    ASSERT_TRUE(claim) << claim.error().message;
    EXPECT_EQ((*claim)->epoch(), 2u);
    EXPECT_EQ(*journal->append(**claim, drafts(1), {}, Ends::no), 2u);
    EXPECT_EQ(journal->read("r-1", 1, SIZE_MAX)->at(0).epoch, 2u);
    EXPECT_EQ(journal->runs()->at(0).controller, "pid 2 on two");
}

TEST_P(JournalContract, GivesTheClaimWhenTheOtherGaveItUp) {
    const auto journal = world_->open();
    run_of(*journal, "r-1", 1);
    claims_.clear();
    const auto again = journal->claim("r-1", "me");
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->epoch(), 2u);
    EXPECT_EQ((*again)->run(), "r-1");
}

TEST_P(JournalContract, RefusesAnAppendUnderAnEpochThatHasPassed) {
    const auto journal = world_->open();
    const Claim& old = run_of(*journal, "r-1", 1);
    world_->lose_sign_of_life("r-1");
    const auto other = world_->open();
    const auto taken = other->claim("r-1", "pid 2 on two");
    ASSERT_TRUE(taken) << taken.error().message;
    const auto refused = journal->append(old, drafts(1), {}, Ends::no);
    expect_error(refused, Fault::conflict, "run r-1 was taken over: this claim has epoch 1, the journal 2");
    EXPECT_THAT(refused.error().message, testing::HasSubstr("pid 2 on two"));
    EXPECT_EQ(*other->append(**taken, drafts(1), {}, Ends::no), 2u);
    claims_.clear();  // giving up a claim that has passed takes nothing from its successor
    expect_error(journal->claim("r-1", "me"), Fault::conflict, "living controller: pid 2 on two");
}

TEST_P(JournalContract, SettledRequestsLeaveTheInboxInTheSameAct) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1);
    for (const char* const id : {"q-2", "q-1", "q-3"}) EXPECT_TRUE(world_->open()->ask(request(id, "r-1")));
    EXPECT_THAT(ids(journal->inbox("r-1")), testing::ElementsAre("q-2", "q-1", "q-3"));
    EXPECT_TRUE(same_content(journal->inbox("r-1")->at(0), request("q-2", "r-1")));
    EXPECT_TRUE(journal->append(claim, drafts(1), {"q-2", "q-3"}, Ends::no));
    EXPECT_THAT(ids(journal->inbox("r-1")), testing::ElementsAre("q-1"));
}

TEST_P(JournalContract, KeepsNeitherEntriesNorSettlementsWhenOneRequestIsNotWaiting) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1);
    run_of(*journal, "r-2", 1);
    EXPECT_TRUE(journal->ask(request("q-1", "r-1")));
    EXPECT_TRUE(journal->ask(request("q-2", "r-2")));
    expect_error(journal->append(claim, drafts(2), {"q-1", "q-9"}, Ends::yes), Fault::not_found, "request q-9");
    expect_error(journal->append(claim, drafts(2), {"q-1", "q-2"}, Ends::yes), Fault::not_found, "request q-2");
    expect_error(journal->append(claim, drafts(2), {"q-1", "q-1"}, Ends::yes), Fault::not_found, "request q-1");
    EXPECT_EQ(*journal->verify(), 2u);
    EXPECT_THAT(ids(journal->inbox("r-1")), testing::ElementsAre("q-1"));
    EXPECT_TRUE(journal->append(claim, drafts(1), {"q-1"}, Ends::no));
    expect_error(journal->append(claim, drafts(1), {"q-1"}, Ends::no), Fault::not_found, "request q-1");
}

TEST_P(JournalContract, TakesTheSameRequestTwiceAsOneAndRefusesAnotherUnderItsId) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 1);
    expect_error(journal->ask(request("q-1", "r-9")), Fault::not_found, "no run r-9");
    expect_error(journal->ask(request("Q 1", "r-1")), Fault::invalid_input, "id of a request");
    EXPECT_TRUE(journal->ask(request("q-1", "r-1")));
    EXPECT_TRUE(journal->ask(request("q-1", "r-1")));
    EXPECT_EQ(journal->inbox("r-1")->size(), 1u);
    expect_error(journal->ask(request("q-1", "r-1", "reject")), Fault::conflict, "request q-1");
    EXPECT_TRUE(journal->append(claim, drafts(1), {"q-1"}, Ends::no));
    EXPECT_TRUE(journal->ask(request("q-1", "r-1")));  // asked again after a lost answer: it was judged already
    EXPECT_TRUE(journal->inbox("r-1")->empty());
}

TEST_P(JournalContract, FindsAnEntryThatWasChanged) {
    {
        const auto journal = world_->open();
        run_of(*journal, "r-1", 5);
        claims_.clear();
    }
    world_->change_body(3, {{"step", "something else"}});
    expect_error(world_->open_to_read()->verify(), Fault::corrupt, "journal entry 3 was changed");
    expect_error(world_->open_to_read()->read("r-1", 0, SIZE_MAX), Fault::corrupt, "journal entry 3 was changed");
}

TEST_P(JournalContract, FindsAnEntryThatWasRemoved) {
    {
        const auto journal = world_->open();
        run_of(*journal, "r-1", 5);
        claims_.clear();
    }
    world_->remove(3);
    expect_error(world_->open_to_read()->verify(), Fault::corrupt, "journal entry 3");
}

TEST_P(JournalContract, FindsATailThatWasCutOff) {
    {
        const auto journal = world_->open();
        const Claim& claim = run_of(*journal, "r-1", 4);
        EXPECT_TRUE(journal->append(claim, drafts(1), {}, Ends::yes));
        claims_.clear();
    }
    world_->remove(5);
    expect_error(world_->open_to_read()->verify(), Fault::corrupt, "journal entry 5 is missing");
}

TEST_P(JournalContract, FindsEntriesThatChangedPlaces) {
    {
        const auto journal = world_->open();
        run_of(*journal, "r-1", 5);
        claims_.clear();
    }
    world_->swap(2, 4);
    expect_error(world_->open_to_read()->verify(), Fault::corrupt, "journal entry 2");
}

TEST_P(JournalContract, FindsAnEntryThatWasPutBetween) {
    {
        const auto journal = world_->open();
        run_of(*journal, "r-1", 5);
        claims_.clear();
    }
    world_->repeat(3);
    expect_error(world_->open_to_read()->verify(), Fault::corrupt, "journal entry 4");
}

TEST_P(JournalContract, ALivingClaimNoticesThatTheJournalWentBackInTime) {
    const auto journal = world_->open();
    const Claim& claim = run_of(*journal, "r-1", 2);
    const auto put_back = world_->take_copy();
    EXPECT_TRUE(journal->append(claim, drafts(1), {}, Ends::no));
    put_back();
    const auto refused = journal->append(claim, drafts(1), {}, Ends::no);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::corrupt) << refused.error().message;
}

TEST_P(JournalContract, ServesSeveralThreadsAndKeepsOneChain) {
    const auto journal = world_->open();
    constexpr int runs = 4, appends = 25;
    std::vector<std::thread> threads;
    for (int i = 0; i < runs; ++i)
        threads.emplace_back([&journal, i] {
            const RunId id = "r-" + std::to_string(i);
            const auto claim = journal->begin(id, {"target-" + std::to_string(i)}, draft(), "thread");
            ASSERT_TRUE(claim);
            for (int n = 0; n < appends; ++n) {
                ASSERT_TRUE(journal->append(**claim, drafts(2), {}, Ends::no));
                ASSERT_EQ(journal->read(id, 0, SIZE_MAX)->size(), static_cast<std::size_t>(1 + 2 * (n + 1)));
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(*journal->verify(), static_cast<std::uint64_t>(runs * (1 + 2 * appends)));
}

TEST_P(JournalContract, GivesOneOfManyClaimantsTheRun) {
    world_->begin_and_die("r-1", {});
    constexpr int claimants = 6;
    std::vector<std::unique_ptr<Journal>> journals;
    for (int i = 0; i < claimants; ++i) journals.push_back(world_->open());
    std::vector<std::unique_ptr<Claim>> won(claimants);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < claimants; ++i)
        threads.emplace_back([&, i] {
            auto claim = journals[i]->claim("r-1", "claimant");
            if (claim) {
                won[i] = std::move(*claim);
            } else {
                EXPECT_EQ(claim.error().fault, Fault::conflict) << claim.error().message;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::ranges::count_if(won, [](const auto& claim) { return claim != nullptr; }), 1);
}

}  // namespace kedge
