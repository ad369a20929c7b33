// Rows as COPY writes them: whose they are is told by their fields, whatever these hold.
#include "recover/row_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge::recover {
namespace {

using testing::UnorderedElementsAre;
using Then = RowRule::Then;

struct Passed {
    std::string text;
    std::uint64_t dropped = 0, changed = 0;
    std::vector<FieldValues> keys;
};

Result<Passed> passed(const RowRules& rules, std::string_view rows) {
    RowFilter filter(rules);
    Passed result;
    TRY(filter.pass(rows, [&](std::string_view text) {
        result.text += text;
        return Result<void>{};
    }));
    result.dropped = filter.dropped();
    result.changed = filter.changed();
    result.keys = filter.keys();
    return result;
}

const FieldValues people{field_of("u1"), field_of("7"), field_of("it's\\ a\ttab"), field_of("\\N")};

TEST(RowFilter, LeavesOutRowsOfAPersonAndNoOthers) {
    const RowRules rules{.map = {{.field = 1, .values = &people, .then = Then::drop}}};
    const auto result = passed(rules, "1\tu1\ta\n2\tu11\tb\n3\tu\tu1\n4\tu1\t\n").value();
    EXPECT_EQ(result.text, "2\tu11\tb\n3\tu\tu1\n");
    EXPECT_EQ(result.dropped, 2U);
    EXPECT_EQ(passed(rules, "").value().text, "");
    EXPECT_EQ(passed(rules, "1\tx\n").value().text, "1\tx\n") << "the last field, and the only row";
}

TEST(RowFilter, ComparesTextsWithBackslashesAndTabsAsTheServerWritesThem) {
    const RowRules rules{.map = {{.field = 0, .values = &people, .then = Then::drop}}};
    const auto result = passed(rules, "it's\\\\ a\\ttab\t1\nit's\\\\ a\\\\ttab\t2\n").value();
    EXPECT_EQ(result.text, "it's\\\\ a\\\\ttab\t2\n");
}

TEST(RowFilter, NullIsNobody) {
    const RowRules rules{.map = {{.field = 0, .values = &people, .then = Then::drop}}};
    const auto result = passed(rules, "\\N\t1\n\\\\N\t2\n").value();
    EXPECT_EQ(result.text, "\\N\t1\n") << "the other is somebody whose id is written so";
}

TEST(RowFilter, BlanksAtTheEndOfPaddedTextSayNothing) {
    const RowRules padded{.map = {{.field = 0, .values = &people, .is_padded = true, .then = Then::drop}}};
    const RowRules exact{.map = {{.field = 0, .values = &people, .then = Then::drop}}};
    EXPECT_EQ(passed(padded, "u1   \n").value().dropped, 1U);
    EXPECT_EQ(passed(exact, "u1   \n").value().dropped, 0U);
}

TEST(RowFilter, ChangesWhatTheMapSaysAndKeepsTheRest) {
    const RowRules rules{.map = {{.field = 1, .values = &people, .then = Then::change}},
                         .changed = {{1, std::string(null_field)}, {2, field_of("(erased)\n")}},
                         .keys = {{.field = 0, .of = RowKey::Of::picked}, {.field = 0, .of = RowKey::Of::dropped}}};
    const auto result = passed(rules, "1\tu2\ta\tend\n2\tu1\tb\tend\n3\tu2\tc\tend\n").value();
    EXPECT_EQ(result.text, "1\tu2\ta\tend\n2\t\\N\t(erased)\\n\tend\n3\tu2\tc\tend\n");
    EXPECT_EQ(result.changed, 1U);
    EXPECT_THAT(result.keys[0], UnorderedElementsAre("2"));
    EXPECT_TRUE(result.keys[1].empty()) << "the row is still there";
}

TEST(RowFilter, ForeignKeysFollowWhatIsGone) {
    const FieldValues gone{"10", "11"};
    const auto rules = [&](Then then) {
        return RowRules{.references = {{.field = 1, .values = &gone, .then = then, .name = "likes_post_fkey"}},
                        .keys = {{.field = 0, .of = RowKey::Of::picked}, {.field = 0, .of = RowKey::Of::dropped}}};
    };
    const std::string rows = "1\t10\n2\t12\n3\t\\N\n4\t11\n";
    const auto dropped = passed(rules(Then::drop), rows).value();
    EXPECT_EQ(dropped.text, "2\t12\n3\t\\N\n");
    EXPECT_TRUE(dropped.keys[0].empty()) << "they are nobody's rows";
    EXPECT_THAT(dropped.keys[1], UnorderedElementsAre("1", "4"));
    EXPECT_EQ(passed(rules(Then::set_null), rows).value().text, "1\t\\N\n2\t12\n3\t\\N\n4\t\\N\n");
    const auto refused = passed(rules(Then::refuse), rows);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("likes_post_fkey"));
}

TEST(RowFilter, AForeignKeySeesTheRowAsTheMapChangedIt) {
    const RowRules rules{.map = {{.field = 1, .values = &people, .then = Then::change}},
                         .references = {{.field = 1, .values = &people, .then = Then::drop}},
                         .changed = {{1, std::string(null_field)}}};
    const auto result = passed(rules, "1\tu1\n").value();
    EXPECT_EQ(result.text, "1\t\\N\n");
    EXPECT_EQ(result.dropped, 0U);
}

TEST(RowFilter, ARowWithTooFewFieldsIsNotPassedOn) {
    const RowRules rules{.map = {{.field = 2, .values = &people, .then = Then::drop}}};
    const auto result = passed(rules, "1\t2\n");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace kedge::recover
