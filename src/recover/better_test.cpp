#include "recover/better.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const Moment point = parse_moment("2026-11-24T03:05:07Z").value();

Offer of(std::string from, std::optional<Span> lost, Span takes) {
    return {.from = std::move(from),
            .possible = true,
            .path = "/somewhere",
            .says = {},
            .until = lost ? std::optional(point - *lost) : std::nullopt,
            .takes = takes};
}
Offer impossible(std::string from, std::string says) {
    return {.from = std::move(from), .path = {}, .says = std::move(says)};
}

TEST(Better, IsWhatLosesLessThoughItTakesLonger) {
    const Better better = better_of({of("log", 2s, 1h), of("dump", 6h, 1min)}, point);
    EXPECT_EQ(better.index, 0U);
    EXPECT_THAT(better.why, HasSubstr("log loses 5h59m less"));
    EXPECT_EQ(better_of({of("dump", 6h, 1min), of("log", 2s, 1h)}, point).index, 1U) << "in whichever order";
}

TEST(Better, IsWhatIsThereSoonerWhereBothLoseAlike) {
    const Better better = better_of({of("log", 0s, 1h), of("dump", 1s, 1min)}, point);
    EXPECT_EQ(better.index, 1U);
    EXPECT_THAT(better.why, HasSubstr("dump is there sooner"));
    EXPECT_EQ(better_of({of("log", 0s, 1h), of("dump", 2s, 1min)}, point).index, 0U) << "what is lost is lost for good";
    EXPECT_EQ(better_of({of("log", 0s, 1min), of("dump", 1s, 1h)}, point).index, 0U);
}

TEST(Better, IsNotWhatDoesNotSayHowMuchItLoses) {
    const Better better = better_of({of("dump", std::nullopt, 1s), of("log", 2h, 1h)}, point);
    EXPECT_EQ(better.index, 1U);
    EXPECT_THAT(better.why, HasSubstr("log says what it loses"));
    EXPECT_EQ(better_of({of("a", std::nullopt, 2s), of("b", std::nullopt, 1s)}, point).index, 1U);
}

TEST(Better, IsTheOneThatServesAndSaysWhyTheOtherDoesNot) {
    const Better better = better_of({impossible("log", "there is a gap"), of("dump", 30h, 1min)}, point);
    EXPECT_EQ(better.index, 1U);
    EXPECT_THAT(better.why, HasSubstr("log: there is a gap"));
    const Better neither =
        better_of({impossible("log", "there is a gap"), impossible("dump", "all are damaged")}, point);
    EXPECT_FALSE(neither.index);
    EXPECT_EQ(neither.why, "log: there is a gap; dump: all are damaged");
}

}  // namespace
}  // namespace kedge::recover
