#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "verify/bytes.h"
#include "verify/effort.h"
#include "verify/examination.h"

namespace kedge::verify {
namespace {

TEST(Findings, KeepsTheFirstOfEachCodeAndCountsTheRest) {
    Findings findings;
    for (int i = 0; i < 250; ++i) findings.add({Weight::damage, "page-checksum", "says", "base/1/2", {}});
    findings.add({Weight::remark, "old", "says", "", {}});
    EXPECT_EQ(findings.kept().size(), Findings::kept_max + 1);
    EXPECT_EQ(findings.count("page-checksum"), 250u);
    EXPECT_EQ(findings.count(Weight::damage), 250u);
    EXPECT_EQ(findings.count(Weight::doubt), 0u);
}

TEST(Findings, MergedTheyAreWhatOneWouldHaveFound) {
    Findings first, second, all;
    for (int i = 0; i < 160; ++i) {
        const Finding finding{
            i % 2 == 0 ? Weight::damage : Weight::doubt, i % 2 == 0 ? "a" : "b", std::to_string(i), "", {}};
        (i < 130 ? first : second).add(finding);
        all.add(finding);
    }
    first.merge(second);
    EXPECT_EQ(first.count("a"), all.count("a"));
    EXPECT_EQ(first.count(Weight::doubt), all.count(Weight::doubt));
    EXPECT_EQ(first.kept().size(), all.kept().size());
}

TEST(Examination, StandsOnItsHighestProof) {
    Examination examination;
    EXPECT_EQ(examination.rung(), Rung::none);
    examination.proofs = {{Rung::listed, ""}, {Rung::decoded, ""}};
    EXPECT_EQ(examination.rung(), Rung::decoded);
}

TEST(SourceStream, EndsWhereItsPartEnds) {
    const MemorySource source(as_bytes("0123456789"));
    SourceStream stream(source, 2, 7);
    std::array<std::byte, 4> bytes{};
    EXPECT_EQ(stream.read(bytes).value(), 4u);
    EXPECT_EQ(std::to_integer<char>(bytes[0]), '2');
    EXPECT_EQ(stream.read(bytes).value(), 1u);
    EXPECT_EQ(stream.read(bytes).value(), 0u);
    SourceStream beyond(source, 8, 100);
    EXPECT_EQ(beyond.read(bytes).value(), 2u);
}

TEST(InParallel, DoesEachOnce) {
    std::vector<std::atomic<int>> done(1000);
    in_parallel(done.size(), 4, [&](std::size_t i) { ++done[i]; });
    EXPECT_TRUE(std::ranges::all_of(done, [](const std::atomic<int>& count) { return count == 1; }));
    in_parallel(0, 4, [](std::size_t) { FAIL(); });
}

}  // namespace
}  // namespace kedge::verify
