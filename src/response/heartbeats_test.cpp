#include "response/heartbeats.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace kedge {
namespace {

using namespace std::chrono_literals;

const Moment start = parse_moment("2026-11-23T14:00:00Z").value();

Attempt acknowledged(std::int64_t sequence, Span sent, Span took = 5ms) {
    return {.sequence = sequence, .sent = start + sent, .done = start + sent + took, .acknowledged = true};
}
Attempt failed(std::int64_t sequence, Span sent, Span took = 250ms) {
    return {.sequence = sequence, .sent = start + sent, .done = start + sent + took, .error = "no answer"};
}

// One attempt each 100 ms for `length`; those sent in [down, up) fail.
std::vector<Attempt> probe(Span length, Span down, Span up) {
    std::vector<Attempt> attempts;
    std::int64_t sequence = 0;
    for (Span sent{}; sent < length; sent += 100ms) {
        ++sequence;
        attempts.push_back(sent >= down && sent < up ? failed(sequence, sent) : acknowledged(sequence, sent));
    }
    return attempts;
}

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(last - first + 1));
    std::iota(result.begin(), result.end(), first);
    return result;
}

TEST(Outage, LastsFromTheFirstFailedWriteToTheFirstOfTenUnbrokenSeconds) {
    const auto found = outages(probe(20s, 3s, 4500ms), start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].first_failed, start + 3s);
    EXPECT_EQ(found[0].over, start + 4505ms);
    EXPECT_EQ(found[0].span(), 1505ms);
    EXPECT_EQ(found[0].failed, 15);
}

TEST(Outage, ThereIsNoneWhereNothingFailed) {
    EXPECT_TRUE(outages(probe(20s, 0s, 0s), start).empty());
    EXPECT_TRUE(outages({}, start).empty());
}

TEST(Outage, AFlickerInsideTheTenSecondsProlongsIt) {
    auto attempts = probe(30s, 3s, 4s);
    attempts[100] = failed(101, 10s);  // 6 s after service came back
    const auto found = outages(attempts, start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].span(), 7105ms);
    EXPECT_EQ(found[0].failed, 11);
}

TEST(Outage, TwoThatLieApartAreTwo) {
    auto attempts = probe(40s, 3s, 4s);
    for (std::size_t i = 200; i < 205; ++i) attempts[i] = failed(static_cast<std::int64_t>(i) + 1, i * 100ms);
    const auto found = outages(attempts, start);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[1].span(), 505ms);
}

TEST(Outage, IsOpenWhileTenSecondsWereNotSeen) {
    const auto found = outages(probe(12s, 3s, 4s), start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].over, std::nullopt);
    EXPECT_EQ(found[0].span(), std::nullopt);
}

TEST(Outage, SilenceOfTheWriterIsNoProofOfService) {
    auto attempts = probe(30s, 3s, 4s);
    attempts.erase(attempts.begin() + 60, attempts.begin() + 120);  // nobody tried from 6 s to 12 s
    const auto found = outages(attempts, start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].over, start + 12005ms);
}

TEST(Outage, WhatFailedBeforeTheFaultDoesNotCount) {
    auto attempts = probe(30s, 8s, 9s);
    attempts[10] = failed(11, 1s);
    const auto found = outages(attempts, start + 5s);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].first_failed, start + 8s);
}

TEST(Outage, AHeldWriteThatWasAcknowledgedIsAWaitAndNoFailure) {
    auto attempts = probe(20s, 0s, 0s);
    attempts[50].done = attempts[50].sent + 1800ms;
    EXPECT_TRUE(outages(attempts, start).empty());
}

TEST(Outage, RandomHistoriesNeverEndInsideABreak) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        std::mt19937 random{seed};
        std::bernoulli_distribution fails{0.02};
        std::vector<Attempt> attempts;
        for (std::int64_t i = 1; i <= 600; ++i)
            attempts.push_back(fails(random) ? failed(i, i * 100ms) : acknowledged(i, i * 100ms));
        for (const Outage& outage : outages(attempts, start)) {
            if (!outage.over) continue;
            for (const Attempt& attempt : attempts) {
                const bool is_inside = attempt.sent >= *outage.over && attempt.sent + 10ms < *outage.over + 10s;
                EXPECT_FALSE(is_inside && !attempt.acknowledged) << "seed " << seed;
            }
        }
    }
}

TEST(Loss, IsNothingWhenEveryAcknowledgedRowIsThere) {
    const auto loss = count_loss(probe(10s, 3s, 4s), numbers(1, 100), start + 3s);
    ASSERT_TRUE(loss);
    EXPECT_EQ(loss->acknowledged, 90);
    EXPECT_EQ(loss->rows, 0);
    EXPECT_EQ(loss->rpo, Span{0});
    EXPECT_EQ(loss->stored_unacknowledged, 10);
}

TEST(Loss, NamesTheRowsAndReachesBackToTheOldest) {
    auto stored = numbers(1, 100);
    stored.erase(stored.begin() + 27, stored.begin() + 30);  // 28, 29 and 30: sent at 2.7, 2.8 and 2.9 s
    const auto loss = count_loss(probe(10s, 3s, 4s), stored, start + 3s);
    ASSERT_TRUE(loss);
    EXPECT_EQ(loss->rows, 3);
    EXPECT_EQ(loss->missing, (std::vector<SequenceRange>{{28, 30}}));
    EXPECT_EQ(loss->oldest_missing->sequence, 28);
    EXPECT_EQ(loss->rpo, 295ms);
}

TEST(Loss, IsUnknownWhenTheStoreWasNotRead) {
    EXPECT_EQ(count_loss(probe(10s, 3s, 4s), std::nullopt, start + 3s), std::nullopt);
}

TEST(Loss, ItsSpanIsUnknownWithoutTheTimeOfTheFault) {
    const auto loss = count_loss(probe(10s, 3s, 4s), numbers(1, 90), std::nullopt);
    ASSERT_TRUE(loss);
    EXPECT_EQ(loss->rows, 10);
    EXPECT_EQ(loss->rpo, std::nullopt);
}

TEST(Loss, RowsThatAnOldPrimaryAcknowledgedAfterTheFaultAreNotUnderReported) {
    std::vector<Attempt> attempts;
    for (std::int64_t i = 1; i <= 50; ++i) attempts.push_back(acknowledged(i, i * 100ms));
    const auto loss = count_loss(attempts, numbers(1, 30), start + 2s);
    ASSERT_TRUE(loss);
    EXPECT_EQ(loss->rows, 20);
    EXPECT_EQ(loss->acknowledged_after_fault, 20);
    EXPECT_EQ(loss->rpo, 1900ms);
}

TEST(Loss, TheOldestIsTheOneAcknowledgedFirstNotTheLowestNumber) {
    const std::vector<Attempt> attempts{acknowledged(1, 100ms, 900ms), acknowledged(2, 200ms, 10ms)};
    EXPECT_EQ(count_loss(attempts, std::vector<std::int64_t>{}, start + 2s)->oldest_missing->sequence, 2);
}

TEST(Gap, IsTheLongestTimeBetweenAcknowledgements) {
    const auto gap = largest_gap(probe(10s, 3s, 4500ms), start);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->from, start + 2905ms);
    EXPECT_EQ(gap->span(), 1600ms);
    EXPECT_EQ(largest_gap({acknowledged(1, 0s)}, start), std::nullopt);
    EXPECT_EQ(largest_gap(probe(10s, 3s, 4500ms), start + 6s)->span(), 100ms);
}

TEST(Ranges, AreTheShortestListThatHoldsTheNumbers) {
    EXPECT_EQ(to_ranges({5, 1, 2, 2, 3, 9}), (std::vector<SequenceRange>{{1, 3}, {5, 5}, {9, 9}}));
    EXPECT_EQ(readable(to_ranges({5, 1, 2, 3, 9})), "1-3 5 9");
    EXPECT_EQ(readable(to_ranges({5, 1, 3, 9}), 2), "1 3 and 2 ranges more");
    EXPECT_EQ(readable(to_ranges({})), "");
}

TEST(AttemptLog, ReadsBackWhatWasWritten) {
    const Attempt one = acknowledged(1, 100ms);
    const Attempt two = failed(2, 200ms);
    const auto log =
        parse_attempt_log(to_line("probe", two) + "\n" + to_line("probe", one) + "\n" + to_line("counter", one) + "\n");
    ASSERT_EQ(log.streams.size(), 2U);
    ASSERT_EQ(log.streams.at("probe").size(), 2U);
    EXPECT_EQ(log.streams.at("probe")[0].sequence, 1);
    EXPECT_EQ(log.streams.at("probe")[0].done, one.done);
    EXPECT_FALSE(log.streams.at("probe")[1].acknowledged);
    EXPECT_EQ(log.streams.at("probe")[1].error, "no answer");
    EXPECT_EQ(log.unreadable_lines, 0);
}

TEST(AttemptLog, CountsWhatItCannotRead) {
    const auto log = parse_attempt_log("{\"stream\":\"probe\",\"seq\":1,\"sent_us\":1}\nrubbish\n\n" +
                                       to_line("probe", acknowledged(2, 1s)) + "\n" +
                                       to_line("probe", acknowledged(3, 2s)).substr(0, 20));
    EXPECT_EQ(log.unreadable_lines, 3);
    EXPECT_EQ(log.streams.at("probe").size(), 1U);
}

}  // namespace
}  // namespace kedge
