#include "journal/memory/memory_journal.h"

#include "journal/contract.h"

namespace kedge {
namespace {

class MemoryWorld final : public JournalWorld {
public:
    std::unique_ptr<Journal> open() override { return std::make_unique<MemoryJournal>(store_); }
    void begin_and_die(const RunId& run, const std::vector<std::string>& targets) override {
        const auto claim = open()->begin(run, targets, {"run.started", {{"by", "test"}}, {}}, "pid 9 on nine");
        ASSERT_TRUE(claim);
        store_->crash();
    }
    void lose_sign_of_life(const RunId& run) override { store_->lose_sign_of_life(run); }
    std::function<void()> take_copy() override {
        return [this, copy = store_->copy()] { store_->restore(*copy); };
    }
    void change_body(Position position, const Json& body) override { at(position).body = body; }
    void remove(Position position) override { entries().erase(entries().begin() + index(position)); }
    void swap(Position a, Position b) override {
        std::swap(at(a), at(b));
        std::swap(at(a).position, at(b).position);
    }
    void repeat(Position position) override {
        const Entry copy = at(position);
        entries().insert(entries().begin() + index(position) + 1, copy);
        for (std::size_t i = 0; i < entries().size(); ++i) entries()[i].position = i + 1;
    }

private:
    std::vector<Entry>& entries() { return store_->raw_entries(); }
    Entry& at(Position position) { return entries().at(position - 1); }
    static std::ptrdiff_t index(Position position) { return static_cast<std::ptrdiff_t>(position - 1); }

    std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

std::unique_ptr<JournalWorld> make_memory_world() {
    return std::make_unique<MemoryWorld>();
}
INSTANTIATE_TEST_SUITE_P(Memory, JournalContract, testing::Values(&make_memory_world));

const std::vector<Draft> one = {{"step.intent", {{"step", "promote"}}, {}}};

struct MemoryFaults : testing::Test {
    std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
    std::unique_ptr<MemoryJournal> journal = std::make_unique<MemoryJournal>(store);
    std::unique_ptr<Claim> claim = std::move(journal->begin("r-1", {"db"}, one[0], "me")).value();

    std::size_t entries() const { return MemoryJournal(store).read("r-1", 0, SIZE_MAX)->size(); }
    Error append_fails() {
        Result<Position> appended = journal->append(*claim, one, {}, Ends::no);
        EXPECT_FALSE(appended);
        return appended ? Error{Fault::corrupt, "it did not fail"} : appended.error();
    }
};

TEST_F(MemoryFaults, ARefusedAppendKeepsNothingAndClosesTheJournal) {
    store->plant(2, AppendFate::refused);
    EXPECT_TRUE(journal->append(*claim, one, {}, Ends::no));
    EXPECT_EQ(append_fails().fault, Fault::unavailable);
    EXPECT_EQ(entries(), 2u);
    EXPECT_NE(append_fails().message.find("takes no more entries"), std::string::npos);
    EXPECT_FALSE(journal->ask({.id = "q-1", .run = "r-1"}));
    EXPECT_EQ(MemoryJournal(store).append(*claim, one, {}, Ends::no).error().fault, Fault::conflict);
    claim.reset();
    EXPECT_TRUE(MemoryJournal(store).claim("r-1", "next"));
}

TEST_F(MemoryFaults, AnAppendWhoseAnswerIsLostIsThereAfterwards) {
    store->plant(1, AppendFate::kept);
    EXPECT_EQ(append_fails().fault, Fault::outcome_unknown);
    EXPECT_EQ(entries(), 2u);
}

TEST_F(MemoryFaults, ACrashDecidesWhatBecomesOfAnAppendInDoubt) {
    for (const auto& [tail, kept] : {std::pair{UnsyncedTail::dropped, 1u}, {UnsyncedTail::kept, 2u}}) {
        store = std::make_shared<MemoryStore>();
        journal = std::make_unique<MemoryJournal>(store);
        claim = std::move(journal->begin("r-1", {"db"}, one[0], "me")).value();
        store->plant(1, AppendFate::in_doubt);
        EXPECT_EQ(append_fails().fault, Fault::outcome_unknown);
        EXPECT_EQ(entries(), 1u);
        store->crash(tail);
        EXPECT_EQ(entries(), kept);
        EXPECT_TRUE(MemoryJournal(store).verify());
    }
}

TEST_F(MemoryFaults, AWriterOverwritesATailThatWasNeverSynced) {
    store->plant(1, AppendFate::in_doubt);
    EXPECT_EQ(append_fails().fault, Fault::outcome_unknown);
    claim.reset();
    MemoryJournal next(store);
    const auto again = next.claim("r-1", "next");
    EXPECT_TRUE(next.append(**again, one, {}, Ends::no));
    store->crash(UnsyncedTail::kept);
    EXPECT_EQ(entries(), 2u);
    EXPECT_EQ(*MemoryJournal(store).verify(), 2u);
}

TEST_F(MemoryFaults, ACrashKillsEveryJournalAndFreesEveryClaim) {
    store->crash();
    EXPECT_EQ(append_fails().fault, Fault::unavailable);
    MemoryJournal next(store);
    const auto again = next.claim("r-1", "next");
    ASSERT_TRUE(again);
    claim.reset();  // the dead controller's claim goes later than its successor's came
    EXPECT_EQ(next.claim("r-1", "third").error().fault, Fault::conflict);
}

TEST_F(MemoryFaults, ABeginWhoseAnswerIsLostLeavesARunThatCanBeClaimed) {
    store->plant(1, AppendFate::kept);
    EXPECT_EQ(journal->begin("r-2", {"cache"}, one[0], "me").error().fault, Fault::outcome_unknown);
    EXPECT_TRUE(MemoryJournal(store).claim("r-2", "next"));
    EXPECT_EQ(store->appends(), 2u);
}

}  // namespace
}  // namespace kedge
