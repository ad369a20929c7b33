// A platform's answer to who is excluded: what counts as one, and what the ledger learns from it.
#include "erasure/exclusions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Moment midday = *parse_moment("2026-11-25T12:00:00Z");
const std::string platform = "https://api.example/exclusions";

constexpr const char* two_people =
    R"({"exclusions":[{"user_id":"u1","reason":"asked","added_at":"2026-01-01T00:00:00Z"},)"
    R"({"user_id":"u2","reason":""}],"count":2})";

TEST(Exclusions, AreReadFromAWellFormedAnswer) {
    const auto read = read_exclusions(200, two_people, 500);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ((*read)[0].subject, "u1");
    EXPECT_EQ((*read)[0].reason, "asked");
    EXPECT_THAT(*read_exclusions(200, R"({"exclusions":[],"count":0})", 500), IsEmpty());
}

TEST(Exclusions, AreUnknownAfterAnythingElse) {
    for (const int status : {0, 204, 301, 401, 403, 404, 429, 500, 504})
        EXPECT_EQ(read_exclusions(status, two_people, 500).error().fault, Fault::refused) << status;
    for (const char* body :
         {"", "null", "[]", "{}", R"({"excluded_users":[],"count":0})", R"({"exclusions":[]})",
          R"({"exclusions":{},"count":0})", R"({"exclusions":[],"count":1})", R"({"exclusions":[{}],"count":1})",
          R"({"exclusions":[{"user_id":""}],"count":1})", R"({"exclusions":[{"user_id":7}],"count":1})",
          R"({"exclusions":[{"user_id":"u1"}],"count":1)", "<html>"})
        EXPECT_EQ(read_exclusions(200, body, 500).error().fault, Fault::corrupt) << body;
}

TEST(Exclusions, AsManyAsTheLimitMayHaveBeenCut) {
    const auto cut = read_exclusions(200, two_people, 2);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().fault, Fault::refused);
    EXPECT_THAT(cut.error().message, HasSubstr("limit of 2"));
    EXPECT_TRUE(read_exclusions(200, two_people, 3));
}

struct Learned {
    ErasureLedger ledger;
    std::vector<ErasureEntry> from(const std::vector<Exclusion>& answer, const std::string& source = platform) {
        auto entries = learn(ledger, answer, source, "ana", midday);
        for (const ErasureEntry& one : entries) EXPECT_TRUE(ledger.add(one));
        return entries;
    }
};

TEST(Exclusions, OnlyMakeTheLedgerGrow) {
    Learned learned;
    EXPECT_EQ(learned.from({{"u1", "asked"}, {"u2", ""}}).size(), 2u);
    EXPECT_THAT(learned.from({{"u1", "asked"}, {"u2", ""}}), IsEmpty());
    EXPECT_EQ(learned.from({{"u1", ""}, {"u2", ""}, {"u3", ""}}).size(), 1u);
    EXPECT_THAT(learned.ledger.erased(), ElementsAre("u1", "u2", "u3"));
}

// After a restart the platform's list is empty: nobody is forgotten, and somebody must look at it.
TEST(Exclusions, ThatAreMissingAreAFindingUntilSomebodyAcknowledgesIt) {
    Learned learned;
    learned.from({{"u1", ""}, {"u2", ""}});
    const auto entries = learned.from({});
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].event, ErasureEvent::finding);
    EXPECT_THAT(entries[0].reason, HasSubstr("2 of 2 subjects"));
    EXPECT_THAT(entries[0].about, ElementsAre("u1", "u2"));
    EXPECT_THAT(learned.ledger.erased(), ElementsAre("u1", "u2"));
    ASSERT_EQ(learned.ledger.open_findings().size(), 1u);
    EXPECT_THAT(learned.from({}), IsEmpty()) << "it was said";
    EXPECT_EQ(learned.from({{"u1", ""}}).size(), 1u) << "another set is another finding";
    EXPECT_THAT(learned.from({{"u9", ""}}, "another source"), testing::SizeIs(1)) << "it never named the others";
    for (const ErasureEntry& one : learned.ledger.open_findings())
        EXPECT_TRUE(learned.ledger.add(
            {.at = midday, .event = ErasureEvent::acknowledge, .who = "ana", .finding = one.number}));
    EXPECT_THAT(learned.ledger.open_findings(), IsEmpty());
    EXPECT_THAT(learned.from({{"u1", ""}}), IsEmpty()) << "somebody has looked at this one";
    EXPECT_EQ(learned.from({}).size(), 1u);
}

TEST(Exclusions, OfSomebodyUnderAHoldAreNotTakenTwice) {
    Learned learned;
    learned.from({{"u1", ""}});
    ASSERT_TRUE(learned.ledger.add({.at = midday, .event = ErasureEvent::hold, .subject = "u1", .who = "ana"}));
    EXPECT_THAT(learned.from({{"u1", ""}}), IsEmpty());
    EXPECT_THAT(learned.ledger.held(), ElementsAre("u1"));
}

}  // namespace
}  // namespace kedge
